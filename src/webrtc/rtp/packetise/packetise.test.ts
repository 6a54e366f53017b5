import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fakeSegment, h264Frame } from "../../testing/fake-media.ts";
import { packetiseAv1 } from "./av1.ts";
import { packetiseH264 } from "./h264.ts";
import { MAX_PAYLOAD_BYTES, packetiseSegment, SegmentCache } from "./index.ts";
import type { Packetiser } from "./payloads.ts";
import { packetiseVp8, packetiseVp9 } from "./vpx.ts";

function run(packetise: Packetiser, frame: Buffer, isKey: boolean): Buffer[] {
  const out: Buffer[] = [];
  packetise(frame, isKey, payload => out.push(payload));
  for (const payload of out) expect(payload.length).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
  return out;
}

/** NAL units as a receiver puts them together. */
function depacketiseH264(payloads: readonly Buffer[]): Buffer[] {
  const nals: Buffer[] = [];
  let parts: Buffer[] = [];
  for (const payload of payloads) {
    const type = payload[0]! & 31;
    if (type === 24) {
      for (let at = 1; at < payload.length; at += 2 + payload.readUInt16BE(at)) {
        nals.push(payload.subarray(at + 2, at + 2 + payload.readUInt16BE(at)));
      }
    } else if (type === 28) {
      if (payload[1]! & 0x80) parts = [Buffer.of((payload[0]! & 0xe0) | (payload[1]! & 31))];
      parts.push(payload.subarray(2));
      if (payload[1]! & 0x40) nals.push(Buffer.concat(parts));
    } else nals.push(payload);
  }
  return nals;
}

describe("H.264", () => {
  it("puts parameter sets together and cuts a large picture into equal parts", () => {
    const payloads = run(packetiseH264, h264Frame(true, 5000), true);
    expect(payloads[0]![0]! & 31).toBe(24);
    expect(new Set(payloads.slice(1, -1).map(payload => payload.length)).size).toBe(1);
    expect(depacketiseH264(payloads).map(nal => nal[0]! & 31)).toEqual([7, 8, 5]);
  });

  it("gives back every NAL unit of any frame", () => {
    const nal = fc.uint8Array({ minLength: 1, maxLength: 4000 }).map(bytes => {
      const out = Buffer.from(bytes);
      out[0] = 0x60 | (1 + (out[0]! % 8));
      return out;
    });
    fc.assert(
      fc.property(fc.array(nal, { minLength: 1, maxLength: 8 }), nals => {
        const frame = Buffer.concat(
          nals.flatMap(unit => {
            const length = Buffer.alloc(4);
            length.writeUInt32BE(unit.length);
            return [length, unit];
          }),
        );
        expect(depacketiseH264(run(packetiseH264, frame, false))).toEqual(nals);
      }),
    );
  });

  it("refuses a NAL unit that is longer than its frame", () => {
    const bad = Buffer.from([0, 0, 1, 0, 0x65, 1]);
    expect(() => run(packetiseH264, bad, true)).toThrow(/NAL unit of 256 bytes/);
  });
});

describe("VP8 and VP9", () => {
  it("mark where a frame begins, ends, and what it depends on", () => {
    const frame = Buffer.alloc(3000, 7);
    const vp8 = run(packetiseVp8, frame, true);
    expect(vp8.map(payload => payload[0])).toEqual([0x10, 0, 0]);
    expect(Buffer.concat(vp8.map(payload => payload.subarray(1)))).toEqual(frame);
    expect(run(packetiseVp9, frame, true).map(payload => payload[0])).toEqual([8, 0, 4]);
    expect(run(packetiseVp9, frame, false).map(payload => payload[0])).toEqual([0x48, 0x40, 0x44]);
  });
});

describe("AV1", () => {
  const obu = (type: number, bytes: number): Buffer => {
    const size = bytes < 128 ? [bytes] : [(bytes & 0x7f) | 0x80, bytes >>> 7];
    return Buffer.concat([Buffer.of((type << 3) | 2, ...size), Buffer.alloc(bytes, type)]);
  };

  /** OBUs as a receiver puts them together from W = 0 payloads. */
  function depacketise(payloads: readonly Buffer[]): Buffer[] {
    const out: Buffer[] = [];
    for (const payload of payloads) {
      let first = true;
      for (let at = 1; at < payload.length; ) {
        const length = (payload[at]! & 0x7f) | (payload[at + 1]! << 7);
        const part = payload.subarray(at + 2, at + 2 + length);
        if (first && payload[0]! & 0x80) out[out.length - 1] = Buffer.concat([out.at(-1)!, part]);
        else out.push(part);
        first = false;
        at += 2 + length;
      }
    }
    return out;
  }

  it("leaves out temporal delimiters and size fields, and gives back the rest", () => {
    const payloads = run(packetiseAv1, Buffer.concat([obu(2, 0), obu(1, 11), obu(6, 4000)]), true);
    expect(payloads[0]![0]! & 0x08).toBe(0x08);
    expect(payloads.length).toBe(4);
    const [sequence, frame] = depacketise(payloads);
    expect(sequence).toEqual(Buffer.concat([Buffer.of(1 << 3), Buffer.alloc(11, 1)]));
    expect(frame).toEqual(Buffer.concat([Buffer.of(6 << 3), Buffer.alloc(4000, 6)]));
  });

  it("gives back OBUs of any sizes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 6 }), sizes => {
        const payloads = run(packetiseAv1, Buffer.concat(sizes.map(size => obu(6, size))), false);
        expect(depacketise(payloads).map(part => part.length)).toEqual(sizes.map(size => size + 1));
      }),
    );
  });

  it("refuses an OBU that is cut off", () => {
    const cutOff = (): Buffer[] => run(packetiseAv1, Buffer.from([0x32, 100, 1]), false);
    expect(cutOff).toThrow(expect.objectContaining({ code: "CORRUPT_MEDIA" }));
  });
});

describe("segments", () => {
  it("are cut once for all who play them, and freed with the last", () => {
    const cache = new SegmentCache();
    const segment = fakeSegment({ id: "v0", start: 0, durationSeconds: 4, keyBytes: 3000 });
    const first = cache.acquire(segment, "h264");
    expect(cache.acquire(structuredClone(segment), "h264")).toBe(first);
    cache.release(first);
    expect(cache.size).toBe(1);
    cache.release(first);
    expect(cache.size).toBe(0);
  });

  it("know where each frame's payloads are", () => {
    const segment = fakeSegment({ id: "v0", start: 0, durationSeconds: 4, keyBytes: 3000 });
    const { frameStart, payloads } = packetiseSegment(segment, "h264");
    expect(frameStart.length).toBe(31);
    expect(frameStart[1]).toBe(4);
    expect(frameStart[30]).toBe(payloads.length);
  });
});
