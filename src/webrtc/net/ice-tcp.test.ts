import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  IceTcp,
  MAX_TCP_CONNECTIONS,
  MAX_TCP_QUEUE_BYTES,
  MAX_UNPROVEN_CONNECTIONS,
  MAX_UNPROVEN_PER_ADDRESS,
  PROOF_TIMEOUT_MS,
  TCP_IDLE_TIMEOUT_MS,
} from "./ice-tcp.ts";
import { FrameReader, MAX_FRAME_BYTES } from "./rfc4571.ts";

function framed(...datagrams: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    datagrams.flatMap(datagram => {
      const head = Buffer.alloc(2);
      head.writeUInt16BE(datagram.length);
      return [head, datagram];
    }),
  );
}

describe("frames in a stream", () => {
  test("come out whole and in order, however the stream is cut", () => {
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 20 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 })), (datagrams, cuts) => {
        const stream = framed(...datagrams);
        const reader = new FrameReader();
        const got: Buffer[] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length + 1]) {
          got.push(...(reader.push(stream.subarray(at, at + cut)) ?? []));
          at += cut;
        }
        expect(got.map(frame => [...frame])).toEqual(datagrams.map(datagram => [...datagram]));
      }),
    );
  });

  test("that are empty are left out, the largest is read, and a larger one ends the stream", () => {
    const reader = new FrameReader();
    expect(
      reader.push(framed(Buffer.alloc(0), Buffer.alloc(MAX_FRAME_BYTES, 1)))?.map(f => f.length),
    ).toEqual([MAX_FRAME_BYTES]);
    expect(reader.push(framed(Buffer.alloc(MAX_FRAME_BYTES + 1)))).toBeUndefined();
  });
});

describe("ICE over TCP", () => {
  let mux: UdpSocket;
  const open: IceTcp[] = [];
  const clients: Socket[] = [];
  beforeEach(async () => {
    mux = createSocket("udp4");
    mux.bind(0, "127.0.0.1");
    await once(mux, "listening");
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    for (const tcp of open.splice(0)) await tcp.close();
    mux.close();
  });
  const listen = async (limits: object = {}): Promise<IceTcp> => {
    const tcp = await IceTcp.listen({
      host: "127.0.0.1",
      port: 0,
      mux: mux.address(),
      limits: { headStartMs: 0, ...limits },
    });
    open.push(tcp);
    return tcp;
  };
  const join = async (tcp: IceTcp, localAddress = "127.0.0.1"): Promise<Socket> => {
    const client = connect({ port: tcp.port, host: "127.0.0.1", localAddress });
    client.on("error", () => undefined);
    clients.push(client);
    await once(client, "connect");
    return client;
  };
  /** Who stands for the connection, and what it said. */
  const heard = async (): Promise<readonly [Buffer, RemoteInfo]> =>
    (await once(mux, "message")) as [Buffer, RemoteInfo];
  /** A check of the connection's, and the answer that proves it; who stands for the connection. */
  const prove = async (client: Socket): Promise<RemoteInfo> => {
    client.write(framed(Buffer.from("a check")));
    const [, from] = await heard();
    mux.send("its answer", from.port, from.address);
    return from;
  };
  const closed = (client: Socket): Promise<unknown> =>
    client.destroyed ? Promise.resolve() : once(client.resume(), "close");

  test("carries what comes to the socket of all viewers, and its answers back", async () => {
    const tcp = await listen();
    const [a, b] = [await join(tcp), await join(tcp)];
    a.write(framed(Buffer.from("from a")));
    const [said, from] = await heard();
    expect(said.toString()).toBe("from a");
    b.write(framed(Buffer.from("from b")));
    const [, other] = await heard();
    expect(other.port).not.toBe(from.port);
    mux.send("to a", from.port, from.address);
    const [answer] = (await once(a, "data")) as [Buffer];
    expect(answer).toEqual(framed(Buffer.from("to a")));
    a.destroy();
    await expect.poll(() => tcp.stats.connections).toBe(1);
  });

  test("a frame that is too large ends its connection alone", async () => {
    const tcp = await listen();
    const [bad, good] = [await join(tcp), await join(tcp)];
    bad.write(framed(Buffer.alloc(MAX_FRAME_BYTES + 1)));
    await closed(bad);
    good.write(framed(Buffer.from("still here")));
    expect((await heard())[0].toString()).toBe("still here");
    expect(tcp.stats).toMatchObject({ refused: 1, connections: 1 });
  });

  test("so many connections are taken, and fewer of those that have proved nothing", async () => {
    expect(MAX_UNPROVEN_CONNECTIONS).toBeLessThan(MAX_TCP_CONNECTIONS);
    const tcp = await listen({ connections: 3, unproven: 2 });
    const first = await join(tcp);
    await join(tcp);
    await closed(await join(tcp));
    await prove(first);
    await once(first, "data");
    // One is proven now: there is room for another.
    await join(tcp);
    await expect.poll(() => tcp.stats.connections).toBe(3);
    await closed(await join(tcp));
    expect(tcp.stats).toMatchObject({ refused: 2, connections: 3 });
  });

  test("one address does not keep the others out", async () => {
    expect(MAX_UNPROVEN_PER_ADDRESS).toBeLessThan(MAX_UNPROVEN_CONNECTIONS);
    const tcp = await listen({ unprovenPerAddress: 2 });
    await join(tcp);
    await join(tcp);
    await closed(await join(tcp));
    await join(tcp, "127.0.0.2");
    await expect.poll(() => tcp.stats).toMatchObject({ refused: 1, connections: 3 });
  });

  test("who proves nothing in time is closed", async () => {
    expect(PROOF_TIMEOUT_MS).toBeLessThan(TCP_IDLE_TIMEOUT_MS);
    const tcp = await listen({ proofTimeoutMs: 30 });
    const silent = await join(tcp);
    silent.write(framed(Buffer.from("nobody answers this")));
    await closed(silent);
    expect(tcp.stats).toMatchObject({ refused: 1, connections: 0 });
  });

  test("who is not spoken to any more is closed", async () => {
    const tcp = await listen({ idleMs: 50 });
    const proven = await join(tcp);
    await prove(proven);
    await closed(proven);
    expect(tcp.stats).toMatchObject({ refused: 0, connections: 0 });
  });

  test("what a connection does not take is lost beyond its bound, and nothing else waits for it", async () => {
    expect(MAX_TCP_QUEUE_BYTES).toBeGreaterThan(MAX_FRAME_BYTES);
    const tcp = await listen({ queueBytes: 20_000 });
    const slow = await join(tcp);
    const from = await prove(slow);
    slow.pause();
    const packet = Buffer.alloc(1200);
    // The system's own buffers fill first.
    while (tcp.stats.dropped === 0) {
      await new Promise<void>(resolve => mux.send(packet, from.port, from.address, () => resolve()));
      await new Promise(setImmediate);
    }
    const quick = await join(tcp);
    quick.write(framed(Buffer.from("me")));
    expect((await heard())[0].toString()).toBe("me");
  });

  test("a port that is taken is told, and closing ends every connection", async () => {
    const tcp = await listen();
    const init = { host: "127.0.0.1", port: tcp.port, mux: mux.address() };
    await expect(IceTcp.listen(init)).rejects.toMatchObject({ code: "EADDRINUSE" });
    const client = await join(tcp);
    await tcp.close();
    await closed(client);
    expect(tcp.stats.connections).toBe(0);
  });
});
