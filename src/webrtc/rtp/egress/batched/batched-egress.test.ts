import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GCM, STREAM, unseal } from "../../../../../test/suites/egress.ts";
import { isCidcastError } from "../../../../core/index.ts";
import type { Egress, EgressStream } from "../types.ts";
import { createBatchedEgress } from "./batched-egress.ts";
import { loadNative, type NativeCalls } from "./native.ts";
import { BATCH_SLOTS } from "./send-ring.ts";
import { socketAddress } from "./socket-address.ts";

const native = await loadNative().catch(() => undefined);
const EAGAIN = 11;
const EIO = 5;
const EPERM = 1;
const ENOSYS = 38;

describe.skipIf(native === undefined)("batched egress", () => {
  const real = native!;
  let sockets: Socket[];
  let got: Buffer[];
  let egress: Egress;
  let stream: EgressStream;
  /** What the kernel says instead of sending. */
  let refusal: number | undefined;
  let calls: number;
  let fallback: string | undefined;

  async function bind(): Promise<Socket> {
    const socket = createSocket({ type: "udp4", lookup: (host, _options, done) => done(null, host, 4) });
    sockets.push(socket);
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.bind(0, "127.0.0.1", resolve);
    await promise;
    socket.setRecvBufferSize(4 << 20);
    return socket;
  }

  beforeEach(async () => {
    sockets = [];
    got = [];
    refusal = fallback = undefined;
    calls = 0;
    const [from, to] = [await bind(), await bind()];
    to.on("message", datagram => got.push(Buffer.from(datagram)));
    const faulty: NativeCalls = {
      ...real,
      sendmmsg: (fd, messages, count, flags) => {
        calls++;
        return refusal === undefined ? real.sendmmsg(fd, messages, count, flags) : -1;
      },
      errno: () => refusal ?? real.errno(),
    };
    egress = createBatchedEgress({ socket: from, calls: faulty, onFallback: reason => (fallback = reason) });
    stream = egress.link({ host: "127.0.0.1", port: to.address().port, keys: GCM }).stream(STREAM);
  });

  afterEach(() => {
    egress.close();
    for (const socket of sockets) socket.close();
  });

  const send = (count: number): void => {
    for (let i = 0; i < count; i++) stream.send(Buffer.alloc(1100, 1), 0, false);
  };
  const arrived = async (count: number): Promise<void> => {
    while (got.length < count) await once(sockets[1]!, "message");
    expect(got.map(datagram => datagram.readUInt16BE(2))).toEqual(
      Array.from({ length: count }, (_, i) => (65_500 + i) & 0xffff),
    );
  };

  it("sends what a full socket did not take with the next flush, in order", async () => {
    send(5);
    refusal = EAGAIN;
    egress.flush();
    send(5);
    egress.flush();
    refusal = undefined;
    egress.flush();
    await arrived(10);
    expect(egress.stats).toMatchObject({ packets: 10, dropped: 0, errors: 0 });
  });

  it("drops what is more than a socket and its queue hold, and counts it", async () => {
    refusal = EAGAIN;
    send(BATCH_SLOTS + 7);
    expect(egress.stats).toMatchObject({ packets: BATCH_SLOTS, dropped: 7 });
    refusal = undefined;
    for (let i = 0; got.length < BATCH_SLOTS; i++) {
      egress.flush();
      await once(sockets[1]!, "message");
    }
    await arrived(BATCH_SLOTS);
  });

  it("sends packets one by one where the path takes no segments", async () => {
    refusal = EIO;
    send(10);
    egress.flush();
    await arrived(10);
    refusal = undefined;
    calls = 0;
    send(10);
    egress.flush();
    await arrived(20);
    expect(calls).toBe(1);
    expect(egress.stats.errors).toBe(0);
    expect(egress.kind).toBe("batched");
  });

  it("counts an error of one destination and goes on", async () => {
    refusal = EPERM;
    send(3);
    egress.flush();
    expect(egress.stats.errors).toBe(3);
    refusal = undefined;
    stream.send(Buffer.alloc(10), 0, false);
    egress.flush();
    while (got.length < 1) await once(sockets[1]!, "message");
    expect(egress.kind).toBe("batched");
  });

  it("goes on in plain JavaScript when native sending fails, with the next numbers", async () => {
    send(2);
    egress.flush();
    await arrived(2);
    refusal = ENOSYS;
    stream.send(Buffer.alloc(10), 0, false);
    egress.flush();
    expect(egress.kind).toBe("js");
    expect(fallback).toContain("38");
    stream.send(Buffer.alloc(20, 4), 0, false);
    while (got.length < 3) await once(sockets[1]!, "message");
    const last = got[2]!;
    expect(last.readUInt16BE(2)).toBe(65_503);
    expect(unseal(last, GCM, 0)).toEqual(Buffer.alloc(20, 4));
    expect(last.readUInt16BE(19)).toBe(4);
  });

  it("is not made when native encryption gives other bytes, or the descriptor is hidden", () => {
    const wrong = { ...real, encryptFinal: () => 0 };
    const attempts = [
      () => createBatchedEgress({ socket: sockets[0]!, calls: wrong }),
      () => createBatchedEgress({ socket: Object.create(null), calls: real }),
    ];
    for (const attempt of attempts) {
      let error: unknown;
      try {
        attempt();
      } catch (thrown) {
        error = thrown;
      }
      expect(isCidcastError(error, "FEATURE_DISABLED")).toBe(true);
    }
  });

  it("writes addresses of both families", () => {
    const hex = (family: string, host: string): string =>
      socketAddress(real, family, host, 0x1234).toString("hex");
    expect(hex("IPv4", "10.1.2.3")).toBe("020012340a0102030000000000000000");
    expect(hex("IPv4", "::ffff:10.1.2.3")).toBe(hex("IPv4", "10.1.2.3"));
    expect(hex("IPv6", "2001:db8::1")).toBe("0a0012340000000020010db800000000000000000000000100000000");
    expect(hex("IPv6", "10.1.2.3")).toBe("0a0012340000000000000000000000000000ffff0a01020300000000");
    expect(hex("IPv6", "fe80::1%7")).toBe("0a00123400000000fe80000000000000000000000000000107000000");
    expect(() => hex("IPv4", "nowhere")).toThrow("no address");
  });
});
