import { describe, expect, test } from "vitest";
import { ladderBytes, ladderOf, PRESET_NAMES } from "./ladder.ts";

const transcode = { mode: "transcode", reason: "" } as const;
const passthrough = { mode: "passthrough", reason: "" } as const;

function source(width: number, height: number, more: object = {}) {
  return {
    codec: "h264" as const,
    width,
    height,
    frameRate: 25,
    bitrateBps: 8_000_000,
    verdict: transcode,
    ...more,
  };
}

describe("a ladder", () => {
  test("has every preset in its box, with its rate", () => {
    expect(ladderOf(source(1920, 1080, { frameRate: 60 }))).toEqual([
      {
        name: "very_low",
        width: 320,
        height: 180,
        frameRate: 15,
        maxFramesPerSecond: 15,
        bitrateBps: 250_000,
      },
      { name: "low", width: 640, height: 360, frameRate: 20, maxFramesPerSecond: 20, bitrateBps: 500_000 },
      {
        name: "medium",
        width: 852,
        height: 480,
        frameRate: 30,
        maxFramesPerSecond: 30,
        bitrateBps: 1_000_000,
      },
      {
        name: "high",
        width: 1280,
        height: 720,
        frameRate: 30,
        maxFramesPerSecond: 30,
        bitrateBps: 2_500_000,
      },
      {
        name: "very_high",
        width: 1920,
        height: 1080,
        frameRate: 30,
        maxFramesPerSecond: 30,
        bitrateBps: 4_500_000,
      },
    ]);
  });

  test("is never larger or faster than the source, and has no size twice", () => {
    const rungs = ladderOf(source(640, 480, { frameRate: 12 }));
    expect(rungs.map(({ name, width, height }) => [name, width, height])).toEqual([
      ["very_low", 320, 240],
      ["low", 480, 360],
      ["medium", 640, 480],
    ]);
    expect(rungs.every(rung => rung.frameRate === 12 && rung.maxFramesPerSecond === 0)).toBe(true);
  });

  test("stands where the source stands", () => {
    expect(ladderOf(source(1080, 1920)).map(({ width, height }) => [width, height])).toEqual([
      [180, 320],
      [360, 640],
      [480, 852],
      [720, 1280],
      [1080, 1920],
    ]);
  });

  test("takes 30.2 pictures a second as 30", () => {
    const [rung] = ladderOf(source(854, 480, { frameRate: 30.2 }), { presets: ["medium"] });
    expect(rung).toMatchObject({ frameRate: 30.2, maxFramesPerSecond: 0 });
  });

  test("leaves out the size that the source itself serves, unless it needs far more or is asked for", () => {
    const names = (more: object, presets?: typeof PRESET_NAMES, codec?: "vp9") =>
      ladderOf(source(1280, 720, { verdict: passthrough, ...more }), { presets, codec }).map(
        rung => rung.name,
      );
    expect(names({ bitrateBps: 3_000_000 })).toEqual(["very_low", "low", "medium"]);
    expect(names({ bitrateBps: 12_000_000 })).toEqual(["very_low", "low", "medium", "high"]);
    expect(names({ bitrateBps: 3_000_000 }, PRESET_NAMES)).toEqual(["very_low", "low", "medium", "high"]);
    // H.264 is no rung of a ladder of VP9.
    expect(names({ bitrateBps: 3_000_000 }, undefined, "vp9")).toEqual(["very_low", "low", "medium", "high"]);
  });

  test("says how much room it takes", () => {
    const track = { id: "v0", kind: "video", durationSeconds: 80, verdict: transcode } as never;
    expect(ladderBytes([track], [{ bitrateBps: 1_000_000 }, { bitrateBps: 500_000 }], 0)).toBe(15_000_000);
  });
});
