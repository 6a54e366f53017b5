import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  contentAnnounceMessage,
  discoveryMessage,
  MAX_ANNOUNCED_ADDRESSES,
  relayAnnounceMessage,
} from "./schema.ts";

const kind = z.object({ good: z.array(z.unknown()), bad: z.array(z.unknown()) });
const vectors = z
  .object({ discovery: kind, content: kind, relay: kind })
  .parse(JSON.parse(readFileSync(new URL("./vectors/messages.json", import.meta.url), "utf8")));

test.each([
  ["discovery", discoveryMessage],
  ["content", contentAnnounceMessage],
  ["relay", relayAnnounceMessage],
] as const)("messages of %s are taken and refused as the vectors say", (name, schema) => {
  for (const message of vectors[name].good)
    expect(schema.safeParse(message)).toMatchObject({ success: true });
  for (const message of vectors[name].bad)
    expect(schema.safeParse(message)).toMatchObject({ success: false });
});

test("of many addresses the first are read", () => {
  const addrs = Array.from({ length: 40 }, (_, i) => `/ip4/192.0.2.1/tcp/${i}`);
  expect(discoveryMessage.parse({ peer_id: "a", addrs, timestamp: 1 }).addrs).toEqual(
    addrs.slice(0, MAX_ANNOUNCED_ADDRESSES),
  );
});
