import { expect, it } from "vitest";
import { admit } from "./admit.ts";
import { BUSY_RETRY_SECONDS, MAX_SESSIONS_PER_OWNER } from "./limits.ts";

const limits = { maxSessions: 40, maxSessionsPerOwner: MAX_SESSIONS_PER_OWNER, maxSessionsPerAddress: 20 };
const places = (count: number, owner: string, address: string) =>
  Array.from({ length: count }, () => ({ owner, address }));

/** What keeps one more session from being opened. */
function refusal(taken: ReturnType<typeof places>, own = limits): unknown {
  const refused: string[] = [];
  try {
    admit(
      { owner: "me", address: "192.0.2.1" },
      { taken, limits: own, onRefused: limit => refused.push(limit) },
    );
    return undefined;
  } catch (error) {
    return { refused, error };
  }
}

it("a place is refused when the node's, the owner's or the address's are all taken, and not before", () => {
  const busy = expect.objectContaining({ code: "BUSY", retryAfterSeconds: BUSY_RETRY_SECONDS });
  expect(refusal(places(39, "others", "192.0.2.9"))).toBeUndefined();
  expect(refusal(places(40, "others", "192.0.2.9"))).toEqual({ refused: ["sessions"], error: busy });
  expect(refusal(places(MAX_SESSIONS_PER_OWNER - 1, "me", "192.0.2.9"))).toBeUndefined();
  expect(refusal(places(MAX_SESSIONS_PER_OWNER, "me", "192.0.2.9"))).toEqual({
    refused: ["owner"],
    error: expect.objectContaining({ code: "LIMIT_REACHED" }),
  });
  expect(refusal(places(19, "others", "192.0.2.1"))).toBeUndefined();
  expect(refusal(places(20, "others", "192.0.2.1"))).toEqual({ refused: ["address"], error: busy });
  expect(refusal(places(30, "others", "192.0.2.1"), { ...limits, maxSessionsPerAddress: 0 })).toBeUndefined();
});
