import { createDecipheriv, createHmac } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import type { EgressFactory, StreamInit } from "../../src/webrtc/rtp/egress/index.ts";
import type { SrtpKeys } from "../../src/webrtc/rtp/srtp/index.ts";

/** Keys of the suite. */
export const GCM: SrtpKeys = {
  profile: "aead-aes-128-gcm",
  key: Buffer.alloc(16, 5),
  salt: Buffer.alloc(12, 6),
  auth: Buffer.alloc(0),
};
const CM: SrtpKeys = {
  profile: "aes-128-cm-hmac-sha1-80",
  key: Buffer.alloc(16, 5),
  salt: Buffer.alloc(14, 6),
  auth: Buffer.alloc(20, 7),
};
export const STREAM: StreamInit = {
  ssrc: 0xfffffff0,
  payloadType: 96,
  mid: { id: 4, value: "0" },
  twccId: 3,
  firstSequence: 65_500,
};

/** What every egress does, whatever it is made of. */
export function egressSuite(name: string, factory: EgressFactory): void {
  describe(`egress: ${name}`, () => {
    const open: { close(): unknown }[] = [];
    afterEach(() => {
      for (const entry of open.splice(0)) entry.close();
    });

    async function socket(host = "127.0.0.1"): Promise<Socket> {
      const version = host.includes(":") ? 6 : 4;
      const made = createSocket({
        type: `udp${version}`,
        lookup: (name, _options, done) => done(null, name, version),
      });
      open.push(made);
      const { promise, resolve } = Promise.withResolvers<void>();
      made.bind(0, host, resolve);
      await promise;
      made.setRecvBufferSize(4 << 20);
      return made;
    }

    async function setUp(keys: SrtpKeys, host = "127.0.0.1") {
      const [from, to] = [await socket(host), await socket(host)];
      const got: Buffer[] = [];
      to.on("message", datagram => got.push(Buffer.from(datagram)));
      const egress = factory({ socket: from });
      open.push(egress);
      const sent: number[] = [];
      const link = egress.link({
        host,
        port: to.address().port,
        keys,
        onSent: sequence => sent.push(sequence),
      });
      const arrived = async (count: number): Promise<void> => {
        while (got.length < count) {
          egress.flush();
          await once(to, "message");
        }
      };
      return { egress, link, got, sent, arrived, to };
    }

    it.each([
      ["GCM", GCM],
      ["CM", CM],
    ] as const)("%s: every payload arrives whole, numbered on over the wrap", async (_profile, keys) => {
      const { egress, link, got, arrived } = await setUp(keys);
      const stream = link.stream(STREAM);
      const sizes = [1, 1187, 500, 33, 1200, 16];
      for (let i = 0; i < 120; i++) {
        stream.send(Buffer.alloc(sizes[i % sizes.length]!, i), i * 3000, i % 3 === 0);
        egress.flush();
        if (i % 20 === 19) await arrived(i + 1);
      }
      let sequence = 65_500;
      let rollovers = 0;
      for (const [i, datagram] of got.entries()) {
        expect(datagram.readUInt16BE(2)).toBe(sequence);
        expect(datagram.readUInt32BE(4)).toBe(i * 3000);
        expect((datagram[1]! & 0x80) !== 0).toBe(i % 3 === 0);
        expect(unseal(datagram, keys, rollovers)).toEqual(Buffer.alloc(sizes[i % sizes.length]!, i));
        sequence = (sequence + 1) & 0xffff;
        if (sequence === 0) rollovers++;
      }
      expect(stream.packets).toBe(120);
      expect(egress.stats).toMatchObject({ packets: 120, errors: 0, dropped: 0 });
    });

    it("numbers all streams of a viewer in one row, retransmissions afresh", async () => {
      const { egress, link, got, sent, arrived } = await setUp(GCM);
      const [main, again] = [
        link.stream(STREAM),
        link.stream({ ...STREAM, ssrc: 5, payloadType: 97, firstSequence: 7 }),
      ];
      const payload = Buffer.alloc(50, 1);
      main.send(payload, 1, true);
      main.send(payload, 2, true);
      again.send(payload, 1, true, 65_500);
      egress.flush();
      await arrived(3);
      expect(sent).toEqual([1, 2, 3]);
      expect(got.map(datagram => datagram.readUInt16BE(19))).toEqual([1, 2, 3]);
      const plain = unseal(got[2]!, GCM, 0);
      expect(plain.readUInt16BE(0)).toBe(65_500);
      expect(plain.subarray(2)).toEqual(payload);
    });

    it("sends bursts of every mixture of sizes, to viewers in turn", async () => {
      const { egress, link, got, arrived } = await setUp(GCM);
      const second = await socket();
      const others: Buffer[] = [];
      second.on("message", datagram => others.push(Buffer.from(datagram)));
      const other = egress.link({ host: "127.0.0.1", port: second.address().port, keys: CM });
      const streams = [link.stream(STREAM), other.stream(STREAM)];
      // Equal ones, shorter ones at the end of a run, longer ones after it, and more than one message may hold.
      const sizes = [...Array.from({ length: 100 }, () => 1180), 600, 600, 599, 1180, 1, 1, 2, 1180];
      for (let turn = 0; turn < 2; turn++) {
        for (const stream of streams) {
          for (const [i, size] of sizes.entries()) stream.send(Buffer.alloc(size, i), i, false);
        }
        egress.flush();
        await arrived((turn + 1) * sizes.length);
        while (others.length < (turn + 1) * sizes.length) await once(second, "message");
      }
      for (const [datagrams, keys] of [
        [got, GCM],
        [others, CM],
      ] as const) {
        let rollovers = 0;
        for (const [i, datagram] of datagrams.entries()) {
          const at = i % sizes.length;
          expect(datagram.readUInt16BE(2)).toBe((65_500 + i) & 0xffff);
          if (datagram.readUInt16BE(2) === 0) rollovers++;
          expect(unseal(datagram, keys, rollovers)).toEqual(Buffer.alloc(sizes[at]!, at));
        }
      }
      expect(egress.stats).toMatchObject({ packets: 4 * sizes.length, errors: 0, dropped: 0 });
    });

    it("gives up a payload that no datagram holds, and leaves its number out", async () => {
      const { egress, link, got, arrived } = await setUp(GCM);
      const stream = link.stream(STREAM);
      stream.send(Buffer.alloc(1), 0, false);
      stream.send(Buffer.alloc(1600), 0, false);
      stream.send(Buffer.alloc(1400), 0, false);
      egress.flush();
      await arrived(2);
      expect(got.map(datagram => datagram.readUInt16BE(2))).toEqual([65_500, 65_502]);
      expect(egress.stats).toMatchObject({ packets: 2, dropped: 1 });
    });

    it("sends over IPv6", async () => {
      const { egress, link, got, arrived } = await setUp(GCM, "::1");
      link.stream(STREAM).send(Buffer.alloc(10, 3), 0, false);
      egress.flush();
      await arrived(1);
      expect(unseal(got[0]!, GCM, 0)).toEqual(Buffer.alloc(10, 3));
    });

    it("follows a viewer's address, and sends nothing once closed", async () => {
      const { egress, link, got, arrived } = await setUp(GCM);
      const stream = link.stream(STREAM);
      stream.send(Buffer.alloc(10), 0, false);
      egress.flush();
      await arrived(1);
      const other = await socket();
      link.setRemote("127.0.0.1", other.address().port);
      const moved = once(other, "message");
      stream.send(Buffer.alloc(10), 1, false);
      egress.flush();
      await moved;
      link.close();
      stream.send(Buffer.alloc(10), 2, false);
      egress.flush();
      expect(egress.stats.packets).toBe(2);
      expect(got).toHaveLength(1);
    });
  });
}

/** The payload of an SRTP packet; fails when it was not made with `keys`. */
export function unseal(datagram: Buffer, keys: SrtpKeys, rollovers: number): Buffer {
  const head = datagram[0]! & 0x10 ? 16 + datagram.readUInt16BE(14) * 4 : 12;
  const gcm = keys.profile === "aead-aes-128-gcm";
  const iv = Buffer.alloc(gcm ? 12 : 16);
  const at = gcm ? 2 : 4;
  datagram.copy(iv, at, 8, 12);
  iv.writeUInt32BE(rollovers, at + 4);
  datagram.copy(iv, at + 8, 2, 4);
  for (let i = 0; i < keys.salt.length; i++) iv[i] = iv[i]! ^ keys.salt[i]!;
  if (gcm) {
    const decipher = createDecipheriv("aes-128-gcm", keys.key, iv, { authTagLength: 16 });
    decipher.setAAD(datagram.subarray(0, head));
    decipher.setAuthTag(datagram.subarray(-16));
    return Buffer.concat([decipher.update(datagram.subarray(head, -16)), decipher.final()]);
  }
  const roc = Buffer.alloc(4);
  roc.writeUInt32BE(rollovers);
  const tag = createHmac("sha1", keys.auth)
    .update(datagram.subarray(0, -10))
    .update(roc)
    .digest()
    .subarray(0, 10);
  expect(datagram.subarray(-10)).toEqual(tag);
  return createDecipheriv("aes-128-ctr", keys.key, iv).update(datagram.subarray(head, -10));
}
