import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ownerPrincipal, silentLogger, VirtualClock } from "../../core/index.ts";
import type { SocketContext } from "../types.ts";
import { type ByteComponents, ByteSession } from "./session.ts";

/** A session over a socket whose client reads when it is told to. */
function setUp(size = 0) {
  const clock = new VirtualClock();
  const frames: unknown[] = [];
  const socket = { buffered: 0 };
  const taken: Uint8Array[] = [];
  const components: ByteComponents = {
    // What the session uses of the content domain, and no more.
    content: {
      resolve: async () => ({ cid: "file", type: "file" }),
      contentTypeOf: async () => "video/mp4",
      open: async () => ({
        cid: "file",
        size,
        read: async (start, end) => new Uint8Array(end - start),
        stream: async function* () {},
        close: async () => undefined,
        [Symbol.asyncDispose]: async () => undefined,
      }),
    },
    contentFor: () => ({
      async add(source) {
        for await (const chunk of source) taken.push(chunk);
        const bytes = taken.reduce((sum, chunk) => sum + chunk.length, 0);
        return {
          cid: "added",
          name: undefined,
          size: bytes,
          contentType: "",
          addedAtMs: 0,
          media: undefined,
        };
      },
      pin: async cid => ({ cid, name: "", pinnedAtMs: 0 }),
    }),
    allow: async () => undefined,
    egress: () => ({ check: () => undefined, add: () => undefined }),
    maxUploadBytes: 1000,
    clock,
    log: silentLogger,
  };
  const context: SocketContext = {
    path: "/",
    query: new URLSearchParams(),
    principal: ownerPrincipal,
    remoteAddress: undefined,
    send(data) {
      frames.push(typeof data === "string" ? JSON.parse(data) : data.length);
      if (typeof data !== "string") socket.buffered += data.length;
      return true;
    },
    sendFrames: () => true,
    bufferedBytes: () => socket.buffered,
    close: () => undefined,
  };
  return { session: new ByteSession(components, context), frames, socket, clock, taken };
}

describe("bytes over a socket", () => {
  test("wait while the client does not read", async () => {
    const { session, frames, socket } = setUp(5_000_000);
    const sent = (): number[] => frames.filter(frame => typeof frame === "number");
    const done = session.stream({ path: "file", chunk_size: 1_000_000, mime_type: undefined, timeout: 30 });
    await setImmediate();
    // The second is what goes beyond the mark.
    expect(sent()).toEqual([1_000_000, 1_000_000]);
    socket.buffered = 0;
    session.drain();
    await setImmediate();
    expect(sent()).toHaveLength(4);
    socket.buffered = 0;
    session.drain();
    await done;
    expect(sent()).toHaveLength(5);
    expect(frames.at(-1)).toMatchObject({ type: "complete", bytes_sent: 5_000_000 });
  });

  test("end where the client leaves while they wait", async () => {
    const { session, frames } = setUp(5_000_000);
    const request = { path: "file", chunk_size: 1_000_000, mime_type: undefined, timeout: 30 };
    const done = session.inTurn(async () => session.stream(request));
    await setImmediate();
    session.close();
    await done;
    expect(frames.filter(frame => typeof frame === "number")).toHaveLength(2);
  });

  test("that begin to come and then do not are given up after half a minute of silence", async () => {
    const { session, frames, clock } = setUp();
    await session.begin({ filename: "slow.bin" });
    await session.push(new Uint8Array(10));
    clock.advance(29_000);
    await session.push(new Uint8Array(10));
    clock.advance(29_000);
    expect(session.uploading).toBe(true);
    clock.advance(1_000);
    expect(session.uploading).toBe(false);
    expect(frames).toMatchObject([{ type: "error", error_type: "TIMEOUT" }]);
  });

  test("are no more than the node takes", async () => {
    const { session, frames, taken } = setUp();
    await session.begin({});
    await session.push(new Uint8Array(1000));
    await session.push(new Uint8Array(1));
    await session.complete();
    expect(frames).toMatchObject([{ type: "result", success: false, error_type: "PAYLOAD_TOO_LARGE" }]);
    expect(taken).toHaveLength(1);
    await expect(session.begin({ metadata: { size: 1001 } })).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
  });
});
