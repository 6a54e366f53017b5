import { afterEach, describe, expect, test } from "vitest";
import { startPeer, type TestPeer } from "../test-support.ts";
import type { PeerStream } from "./stream.ts";

const ECHO = "/test/echo/1.0.0";
const opened: TestPeer[] = [];

afterEach(async () => {
  for (const peer of opened.splice(0)) await peer[Symbol.asyncDispose]();
});

async function pair(): Promise<readonly [TestPeer, TestPeer]> {
  const started = [await startPeer(), await startPeer()] as const;
  opened.push(...started);
  await started[0].peer.connectToPeer(started[1].address);
  return started;
}

/** Everything a stream brings until its other side ends. */
function readAll(stream: PeerStream): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Uint8Array[] = [];
  stream.consume({
    onData: chunk => void chunks.push(chunk),
    onEnd: () => resolve(Buffer.concat(chunks).toString()),
    onClose: error => error !== undefined && reject(error),
  });
  return promise;
}

async function echo(stream: PeerStream): Promise<void> {
  stream.send(Buffer.from(`${stream.peerId} said ${await readAll(stream)}`));
  await stream.close();
}

describe("a protocol handler", () => {
  test("answers a stream, half-closed by the one that asks", async () => {
    const [a, b] = await pair();
    await b.peer.registerProtocolHandler(ECHO, echo);
    const stream = await a.peer.newStream(b.peer.id, ECHO);
    stream.send(Buffer.from("hello "));
    stream.send(Buffer.from("there"));
    await stream.close();
    expect(await readAll(stream)).toBe(`${a.peer.id} said hello there`);
  });

  test("that throws aborts its stream and nothing else", async () => {
    const [a, b] = await pair();
    await b.peer.registerProtocolHandler(ECHO, () => {
      throw new Error("no");
    });
    const stream = await a.peer.newStream(b.peer.id, ECHO);
    await expect(readAll(stream)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(await a.peer.ping(b.peer.id)).toBeGreaterThan(0);
  });

  test("is there once per protocol, and gone after it was taken away", async () => {
    const [a, b] = await pair();
    const remove = await b.peer.registerProtocolHandler(ECHO, echo);
    await expect(b.peer.registerProtocolHandler(ECHO, echo)).rejects.toMatchObject({ code: "CONFLICT" });
    await remove();
    await remove();
    await expect(a.peer.newStream(b.peer.id, ECHO)).rejects.toMatchObject({ code: "PROTOCOL_UNSUPPORTED" });
  });

  test("gets no more streams of one peer than it allows", async () => {
    const [a, b] = await pair();
    const held: PeerStream[] = [];
    await b.peer.registerProtocolHandler(ECHO, stream => void held.push(stream), { maxInboundStreams: 2 });
    const streams = [await a.peer.newStream(b.peer.id, ECHO), await a.peer.newStream(b.peer.id, ECHO)];
    for (const stream of streams) stream.send(Buffer.from("x"));
    const third = await a.peer.newStream(b.peer.id, ECHO);
    await expect(readAll(third)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(held).toHaveLength(2);
  });
});

describe("a stream", () => {
  test("to a peer that cannot be reached ends in PEER_UNREACHABLE", async () => {
    const [a, b] = await pair();
    const { id } = b.peer;
    await b.peer.stop();
    await expect(a.peer.newStream(id, ECHO)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    await expect(a.peer.connectToPeer("/ip4/127.0.0.1/tcp/1")).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
    });
  });

  test("to what is no peer ends in INVALID_REQUEST", async () => {
    const [a] = await pair();
    await expect(a.peer.newStream("nobody", ECHO)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(a.peer.connectToPeer("/nonsense/1")).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(a.peer.connectToPeer(`/dns4/${"a".repeat(2000)}/tcp/1`)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });

  test("tells its consumer of an end that came before it listened", async () => {
    const [a, b] = await pair();
    const arrived = Promise.withResolvers<PeerStream>();
    await b.peer.registerProtocolHandler(ECHO, stream => arrived.resolve(stream));
    const stream = await a.peer.newStream(b.peer.id, ECHO);
    stream.send(Buffer.from("x"));
    const inbound = await arrived.promise;
    const closed = Promise.withResolvers<void>();
    inbound.consume({ onData() {}, onClose: () => closed.resolve() });
    stream.abort(new Error("gone"));
    await closed.promise;
    const late = Promise.withResolvers<Error | undefined>();
    stream.consume({ onData() {}, onClose: error => late.resolve(error) });
    expect(await late.promise).toMatchObject({ code: "PEER_UNREACHABLE" });
  });

  test("cut off with its connection is no end", async () => {
    const [a, b] = await pair();
    await b.peer.registerProtocolHandler(ECHO, stream => void stream.send(Buffer.from("half an ans")));
    const answer = readAll(await a.peer.newStream(b.peer.id, ECHO));
    await Promise.all([expect(answer).rejects.toMatchObject({ code: "PEER_UNREACHABLE" }), b.peer.stop()]);
  });

  test("makes a sender that waits for it queue no more than a window or two", async () => {
    const [a, b] = await pair();
    let sent = 0;
    await b.peer.registerProtocolHandler(ECHO, async stream => {
      stream.consume({ onData() {} });
      const piece = new Uint8Array(64 * 1024);
      for (let i = 0; i < 1600; i++) {
        sent += piece.byteLength;
        if (!stream.send(piece)) await stream.drained();
      }
    });
    const stream = await a.peer.newStream(b.peer.id, ECHO);
    let received = 0;
    let mostQueued = 0;
    const all = Promise.withResolvers<void>();
    stream.consume({
      onData: chunk => {
        received += chunk.byteLength;
        mostQueued = Math.max(mostQueued, sent - received);
        if (received === 1600 * 64 * 1024) all.resolve();
      },
    });
    await all.promise;
    // The largest window of yamux is 16 MiB; the rest is in sockets and between turns.
    expect(mostQueued).toBeLessThan(32 * 1024 * 1024);
  });

  test("that its caller has aborted is ABORTED", async () => {
    const [a, b] = await pair();
    const caller = new AbortController();
    caller.abort();
    await expect(a.peer.newStream(b.peer.id, ECHO, { signal: caller.signal })).rejects.toMatchObject({
      code: "ABORTED",
    });
  });
});
