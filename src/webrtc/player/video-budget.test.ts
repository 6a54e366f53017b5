import { describe, expect, it } from "vitest";
import { VideoBudget } from "./video-budget.ts";

const GOP_FRAMES = 30;
const FRAME_MS = 1000 / 30;
/** A path that carries so much, with no queue. */
const path = (limitBps: number | undefined) => ({ limitBps, estimateBps: limitBps });

/** Plays ten seconds of a stream with one keyframe a second; returns which frames left, and their bytes. */
function play(
  budget: VideoBudget,
  limitBps: number | undefined,
  keyBytes: number,
  frameBytes: number,
  isAlone = (_frame: number): boolean => false,
) {
  const sent: boolean[] = [];
  let bytes = 0;
  for (let frame = 0; frame < 10 * GOP_FRAMES; frame++) {
    budget.tick(frame * FRAME_MS, path(limitBps));
    const isKey = frame % GOP_FRAMES === 0;
    const size = isKey ? keyBytes : frameBytes;
    sent.push(budget.admit(size, isKey, isAlone(frame)));
    if (sent.at(-1) === true) bytes += size;
    budget.spend(60);
  }
  return { sent, bytes };
}

describe("the budget of pictures", () => {
  it("lets everything through while the path is not the limit", () => {
    const budget = new VideoBudget(0);
    expect(play(budget, undefined, 50_000, 10_000).sent.every(Boolean)).toBe(true);
    expect(budget.skipped).toBe(0);
  });

  it("lets everything through that the path carries", () => {
    expect(play(new VideoBudget(0), 3_000_000, 20_000, 10_000).sent.every(Boolean)).toBe(true);
  });

  it("keeps under the limit, and never sends a frame whose predecessor it left out", () => {
    const budget = new VideoBudget(0);
    const { sent, bytes } = play(budget, 900_000, 40_000, 9000);
    expect(bytes * 8).toBeLessThan(10 * 900_000 + 40_000 * 8);
    expect(bytes * 8).toBeGreaterThan(5 * 900_000);
    expect(budget.skipped).toBe(sent.filter(frame => !frame).length);
    const orphans = sent.filter((left, i) => left && i % GOP_FRAMES !== 0 && sent[i - 1] === false);
    expect(orphans).toEqual([]);
  });

  it("leaves out what no picture depends on before anything else", () => {
    // 30 kB and 29 frames of 4 kB a second are 1170 kbit/s; without the 15 that stand alone 690 are left.
    const isAlone = (frame: number): boolean => frame % 2 === 1;
    const budget = new VideoBudget(0);
    const { sent, bytes } = play(budget, 850_000, 30_000, 4000, isAlone);
    const needed = sent.filter((_, frame) => !isAlone(frame));
    expect(needed.every(Boolean)).toBe(true);
    expect(budget.skipped).toBeGreaterThan(50);
    // Some of them go all the same: as many as there is room for.
    expect(budget.skipped).toBeLessThan(150);
    expect(bytes * 8).toBeLessThan(10 * 850_000 + 30_000 * 8);
  });

  it("pays a keyframe back with the frames after it, where all of it fits, and owes nothing for a queue that has gone", () => {
    const budget = new VideoBudget(0);
    // 13 kB and 29 frames of 1.7 kB are 500 kbit/s: the path carries them, but saved nothing for the keyframe.
    expect(play(budget, 800_000, 13_000, 1700).sent.every(Boolean)).toBe(true);
    const draining = new VideoBudget(0);
    draining.tick(0, { limitBps: 100_000, estimateBps: 800_000 });
    draining.admit(5000, true);
    expect(draining.admit(4000, false)).toBe(false);
    draining.tick(10, { limitBps: 800_000, estimateBps: 800_000 });
    expect(draining.admit(20_000, true)).toBe(true);
  });

  it("goes on at the next keyframe when the path is wide again, and at once after a seek", () => {
    const budget = new VideoBudget(0);
    budget.tick(0, path(100_000));
    budget.admit(50_000, true);
    expect(budget.admit(5000, false)).toBe(false);
    budget.tick(10, path(undefined));
    expect(budget.admit(5000, false)).toBe(false);
    expect(budget.admit(50_000, true)).toBe(true);
    budget.tick(20, path(100_000));
    budget.admit(50_000, true);
    budget.tick(30, path(100_000));
    expect(budget.admit(50_000, true)).toBe(false);
    budget.restart();
    expect(budget.admit(50_000, true)).toBe(true);
  });
});
