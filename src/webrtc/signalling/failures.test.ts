import { MAX_WAITING_OFFERS } from "@cidcast/protocols/signalling";
import { describe, expect, it } from "vitest";
import {
  CidcastError,
  ownerPrincipal,
  scopeAuthoriser,
  silentLogger,
  VirtualClock,
} from "../../core/index.ts";
import type { SignallingConnection, StreamingSession, WebRTCStreamingManager } from "../types.ts";
import { createSignallingHandler } from "./handler.ts";

/** A client of a manager that does as `createOffer` says. */
function client(createOffer: () => Promise<{ session: StreamingSession; sdp: string }>): {
  readonly connection: SignallingConnection;
  readonly got: unknown[];
} {
  const got: unknown[] = [];
  const parts = { createOffer, iceServers: () => [], closeOwner: async () => undefined };
  const connection = createSignallingHandler()({
    // Only what an offer needs.
    manager: parts as unknown as WebRTCStreamingManager,
    authoriser: scopeAuthoriser,
    log: silentLogger,
    clock: new VirtualClock(),
  }).connect({
    greeting: "silent",
    principal: ownerPrincipal,
    send: text => got.push(JSON.parse(text)) > 0,
  });
  return { connection, got };
}

describe("what fails here", () => {
  it("is told as our failure, in the words of the protocol, and the connection goes on", async () => {
    const { connection, got } = client(() => Promise.reject(new TypeError("undefined is not a film")));
    await connection.receive('{"type":"offer_request","cid":"film"}');
    await connection.receive('{"type":"ping"}');
    expect(got).toEqual([
      { type: "error", message: "Server error: undefined is not a film", code: "INTERNAL" },
      { type: "pong", timestamp: expect.any(Number) },
    ]);
    await connection.close("done");
  });
});

describe("offers of one connection", () => {
  it("wait for each other, so many of them; one more is told to come back", async () => {
    const opening = Promise.withResolvers<never>();
    const { connection, got } = client(() => opening.promise);
    const asked = Array.from({ length: MAX_WAITING_OFFERS + 1 }, () =>
      connection.receive('{"type":"offer_request","cid":"film"}'),
    );
    await asked.at(-1);
    expect(got).toMatchObject([{ type: "error", code: "LIMIT_REACHED", retryAfterSeconds: 1 }]);
    opening.reject(new CidcastError("CONTENT_NOT_FOUND", "nobody has film"));
    await Promise.all(asked);
    expect(got).toHaveLength(1 + MAX_WAITING_OFFERS);
    await connection.close("done");
  });
});
