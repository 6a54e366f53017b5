import { decodeGop, GOP_MAX_FRAMES } from "@cidcast/protocols/media-manifest";
import { describe, expect, test } from "vitest";
import { SEGMENT_MAX_PAYLOAD, SegmentCutter, segmentFile, type TimedData } from "./segment-writer.ts";

function frame(ptsUs: number, key: boolean, byteLength = 3): TimedData {
  return { frame: { pieces: [new Uint8Array(byteLength).fill(7)], byteLength, key }, ptsUs };
}

function cutter(gopUs?: number) {
  const made: { number: number; gops: number[] }[] = [];
  const cut = new SegmentCutter({
    segmentUs: 4e6,
    gopUs,
    onSegment: (number, gops) => made.push({ number, gops: gops.map(gop => gop.length) }),
  });
  return { cut, made };
}

describe("segments", () => {
  test("of pictures begin at the first keyframe of their time, what lies before the first is passed over", () => {
    const { cut, made } = cutter();
    for (let i = 0; i < 20; i++) cut.push(frame(i * 500_000, i % 2 === 1));
    cut.finish();
    expect(made).toEqual([
      { number: 0, gops: [2, 2, 2, 2] },
      { number: 1, gops: [2, 2, 2, 2] },
      { number: 2, gops: [2, 1] },
    ]);
  });

  test("of sound are cut on the grid", () => {
    const { cut, made } = cutter(1e6);
    for (let i = 0; i < 250; i++) cut.push(frame(i * 20_000, true));
    cut.finish();
    expect(made).toEqual([
      { number: 0, gops: [50, 50, 50, 50] },
      { number: 1, gops: [50] },
    ]);
  });

  test("have no more frames between keyframes than the format takes", () => {
    const { cut } = cutter();
    for (let i = 0; i < GOP_MAX_FRAMES; i++) cut.push(frame(i * 1000, i === 0));
    expect(() => cut.push(frame(9e6, false))).toThrow(expect.objectContaining({ code: "CORRUPT_MEDIA" }));
  });

  test("have no more bytes than the format takes", () => {
    const { cut } = cutter();
    cut.push(frame(0, true, SEGMENT_MAX_PAYLOAD));
    expect(() => cut.push(frame(1000, false, 1))).toThrow(expect.objectContaining({ code: "CORRUPT_MEDIA" }));
  });

  test("say where each group lies in them", () => {
    const { bytes, gops } = segmentFile([
      [frame(1_000_000, true), frame(1_033_333, false)],
      [frame(2_000_000, true)],
    ]);
    expect(gops.map(([time]) => time)).toEqual([1_000_000, 2_000_000]);
    const [, second] = gops;
    expect(decodeGop(bytes.subarray(0, second?.[1]))?.map(({ offsetUs }) => offsetUs)).toEqual([0, 33_333]);
    expect(decodeGop(bytes.subarray(second?.[1]))).toHaveLength(1);
  });
});
