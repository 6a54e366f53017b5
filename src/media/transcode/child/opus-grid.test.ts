import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OPUS_FRAME_SAMPLES, OpusGrid } from "./opus-grid.ts";

/** Samples whose value is their position, so that what comes out tells where it came from. */
function ramp(from: number, count: number): Float32Array {
  return Float32Array.from({ length: 2 * count }, (_, i) => from + Math.floor(i / 2));
}

/** A grid that keeps the frames it gives out. */
function grid(fromSeconds: number) {
  const frames = new Map<number, Float32Array>();
  const made = new OpusGrid(fromSeconds * 1e6, (samples, index) => frames.set(index, samples.slice()));
  return { grid: made, frames };
}

/** The encoder's delay: frame n takes in the sound from here on after n × 960. */
const DELAY = 312;

describe("OpusGrid", () => {
  test("whatever the pieces, each frame holds the sound of its place", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 }),
        fc.nat(5),
        (pieces, second) => {
          const { grid: it, frames } = grid(second);
          let position = second * 48_000 - 9600;
          it.expect(position);
          for (const piece of pieces) {
            it.write(ramp(position, piece));
            position += piece;
          }
          for (const [index, samples] of frames) {
            const start = index * OPUS_FRAME_SAMPLES + DELAY;
            const wrong = samples.findIndex((sample, i) => sample !== Math.max(0, start + Math.floor(i / 2)));
            expect(wrong).toBe(-1);
          }
          expect([...frames.keys()]).toEqual([...frames.keys()].toSorted((a, b) => a - b));
        },
      ),
    );
  });

  test("small differences of the source's times move nothing, a jump does", () => {
    const { grid: it, frames } = grid(0);
    it.expect(0);
    it.write(ramp(0, 4800));
    it.expect(4900);
    it.write(ramp(4800, 4800));
    it.expect(14_400);
    it.write(ramp(14_400, 4800));
    expect(frames.get(3)?.[0]).toBe(3 * 960 + DELAY);
    // The hole between 9600 and 14400 is silence.
    expect(frames.get(11)?.[0]).toBe(0);
    expect(frames.get(16)?.[0]).toBe(16 * 960 + DELAY);
  });

  test("a long hole is left out: no frames are made for it", () => {
    const { grid: it, frames } = grid(0);
    it.expect(0);
    it.write(ramp(0, 4800));
    it.expect(480_000);
    it.write(ramp(480_000, 4800));
    expect(frames.has(100)).toBe(false);
    expect(frames.get(501)?.[0]).toBe(501 * 960 + DELAY);
  });

  test("sound that begins late is preceded by silence, and the end is filled up", () => {
    const { grid: it, frames } = grid(0);
    it.expect(10_000);
    it.write(ramp(10_000, 5000));
    it.finish();
    expect(frames.get(0)?.every(sample => sample === 0)).toBe(true);
    expect(frames.get(12)?.[0]).toBe(12 * 960 + DELAY);
    expect(Math.max(...frames.keys())).toBe(Math.floor((15_000 - DELAY) / 960));
    expect(frames.get(15)?.at(-1)).toBe(0);
  });
});
