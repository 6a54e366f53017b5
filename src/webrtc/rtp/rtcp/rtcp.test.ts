import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compactNtp, readRtcp, writeSenderReport } from "./index.ts";
import { readTransportFeedback } from "./twcc.ts";

function feedback(hex: string): [number, number | undefined][] {
  const out: [number, number | undefined][] = [];
  readTransportFeedback(Buffer.from(hex.replaceAll(" ", ""), "hex"), (sequence, at) =>
    out.push([sequence, at]),
  );
  return out;
}

describe("a receiver's estimate", () => {
  it("is read from REMB, and from nothing else of its kind", () => {
    const heard: number[] = [];
    const onRemb = (bps: number): number => heard.push(bps);
    // 1.25 Mbit/s: mantissa 152587 (0x2540b), exponent 3
    readRtcp(Buffer.from("8fce0005000000010000000052454d42010e540b00000005", "hex"), { onRemb });
    readRtcp(Buffer.from("8fce0005000000010000000041424344010e540b00000005", "hex"), { onRemb });
    readRtcp(Buffer.from("8fce0002000000010000000052454d42", "hex"), { onRemb });
    expect(heard).toEqual([152_587 * 8]);
  });
});

describe("transport-wide feedback", () => {
  it("reads run lengths and two-bit status vectors, over the wrap of the numbers", () => {
    // base 0xfffe, 5 packets, reference time 1: a run of 2 small deltas, then small, lost, large
    expect(feedback("fffe0005 00000100 2002 d200 04 08 01 fffc")).toEqual([
      [0xfffe, 260],
      [0xffff, 268],
      [0, 269],
      [1, undefined],
      [2, 265],
    ]);
  });

  it("reads one-bit status vectors", () => {
    expect(feedback("00010003 00000000 a800 0102")).toEqual([
      [1, 1],
      [2, undefined],
      [3, 3],
    ]);
  });

  it("ends quietly in what is malformed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
        let calls = 0;
        readTransportFeedback(Buffer.from(bytes), () => calls++);
        expect(calls).toBeLessThanOrEqual(8192);
      }),
    );
  });
});

describe("compound packets", () => {
  it("tell NACKs, keyframe requests and reports apart", () => {
    const seen: unknown[] = [];
    const report = `81c90007 00000001 00000005 40000003 00000010 00000384 12345678 00010000`;
    const pli = "81ce0002 00000001 00000005";
    const nack = "81cd0003 00000001 00000005 00100005";
    readRtcp(Buffer.from(`${report}${pli}${nack}`.replaceAll(" ", ""), "hex"), {
      onReport: r => seen.push([r.ssrc, r.fractionLost, r.cumulativeLost, r.jitter, r.lastSenderReport]),
      onKeyframeRequest: ssrc => seen.push(["pli", ssrc]),
      onNack: (ssrc, sequence) => seen.push([ssrc, sequence]),
    });
    expect(seen).toEqual([
      [5, 0.25, 3, 900, 0x12345678],
      ["pli", 5],
      [5, 16],
      [5, 17],
      [5, 19],
    ]);
  });

  it("end quietly in what is malformed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        const report = { onNack: () => undefined, onReport: () => undefined };
        expect(() => readRtcp(Buffer.from(bytes), report)).not.toThrow();
      }),
    );
  });
});

describe("sender reports", () => {
  it("name one moment in both clocks, and the stream's clock domain", () => {
    const init = { ssrc: 7, wallMs: 1500, rtpTimestamp: 90_000, packets: 3, octets: 400, cname: "abc" };
    const packet = writeSenderReport(init);
    expect(packet.length % 4).toBe(0);
    expect(packet.readUInt32BE(8)).toBe(2_208_988_801);
    expect(packet.readUInt32BE(12)).toBe(2 ** 31);
    expect(packet.readUInt32BE(16)).toBe(90_000);
    expect(packet.toString("latin1", 38, 41)).toBe("abc");
    expect(compactNtp(1500)).toBe((((2_208_988_801 & 0xffff) << 16) | 0x8000) >>> 0);
  });
});
