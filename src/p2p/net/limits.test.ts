import { once } from "node:events";
import { connect as dial, createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { PeerStream } from "../streams/index.ts";
import { connect, startPeer, type TestPeer } from "../test-support.ts";

const opened: TestPeer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const peer of opened.splice(0)) await peer[Symbol.asyncDispose]();
});

async function peer(...args: Parameters<typeof startPeer>): Promise<TestPeer> {
  const started = await startPeer(...args);
  opened.push(started);
  return started;
}

/** Host and port of a peer's TCP address. */
function placeOf({ address }: TestPeer): { readonly host: string; readonly port: number } {
  const [, , host = "", , port] = address.split("/");
  return { host, port: Number(port) };
}

/** A TCP connection that says nothing. */
async function silent(to: TestPeer): Promise<Socket> {
  const socket = dial(placeOf(to));
  socket.on("error", () => undefined);
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

describe("limits of connections", () => {
  test("those that never finish their handshake keep nobody else out for ever", async () => {
    const guarded = await peer({ limits: { maxPendingInbound: 3, maxInboundPerSecond: 1000 } });
    const stuck = [await silent(guarded), await silent(guarded), await silent(guarded)];
    // One more than may be pending is closed at once; those before it wait for their handshake.
    const fourth = dial(placeOf(guarded)).on("error", () => undefined);
    await new Promise<void>(resolve => fourth.resume().once("close", () => resolve()));
    expect(stuck.map(socket => socket.destroyed)).toEqual([false, false, false]);
    for (const socket of stuck) socket.destroy();
    const other = await peer();
    await expect
      .poll(() =>
        connect(other, guarded).then(
          () => "connected",
          () => "refused",
        ),
      )
      .toBe("connected");
  });

  test("a dial that nobody answers ends in time", async () => {
    const mute = createServer();
    mute.on("connection", socket => void sockets.push(socket));
    mute.listen(0, "127.0.0.1");
    await once(mute, "listening");
    // The address of a TCP server is an object.
    const { port } = mute.address() as AddressInfo;
    const dialler = await peer({ limits: { dialTimeoutMs: 100 } });
    const there = "12D3KooWL8jjT3gw3DyU7V9fjX5NvtHD7bV7vmkXLmajr7Jw7YyN";
    await expect(dialler.peer.connectToPeer(`/ip4/127.0.0.1/tcp/${port}/p2p/${there}`)).rejects.toMatchObject(
      { code: expect.stringMatching(/TIMEOUT|PEER_UNREACHABLE/) },
    );
    mute.close();
  });
});

describe("limits of streams", () => {
  const PROTOCOL = "/test/hold/1.0.0";

  /** Opens streams until one is refused; gives how many were taken. */
  async function fill(from: TestPeer, to: TestPeer, most: number): Promise<number> {
    await connect(from, to);
    const open: PeerStream[] = [];
    try {
      while (open.length < most) {
        const stream = await from.peer.newStream(to.peer.id, PROTOCOL);
        const refused = Promise.withResolvers<boolean>();
        stream.consume({ onData: () => refused.resolve(false), onClose: () => refused.resolve(true) });
        if (await refused.promise) break;
        open.push(stream);
      }
    } catch {
      // Refused before it was a stream.
    }
    const taken = open.length;
    for (const stream of open) stream.abort(new Error("enough"));
    return taken;
  }

  const greet = (stream: PeerStream): void => {
    stream.consume({ onData: () => undefined });
    stream.send(Buffer.from("hello"));
  };

  test("a peer holds so many of one protocol", async () => {
    const [there, here] = [await peer(), await peer()];
    await there.peer.registerProtocolHandler(PROTOCOL, greet, { maxInboundStreams: 3 });
    expect(await fill(here, there, 10)).toBe(3);
  });

  test("and so many on one connection, whatever they are for", async () => {
    const [there, here] = [await peer({ limits: { maxStreamsPerConnection: 5 } }), await peer()];
    await there.peer.registerProtocolHandler(PROTOCOL, greet, { maxInboundStreams: 100 });
    const taken = await fill(here, there, 20);
    // Identify and its like hold streams of their own while they run.
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThanOrEqual(5);
  });
});
