import { describe, expect, test } from "vitest";
import { PACE_LEVELS, PaceController } from "./pace.ts";

/** Share of the work that each level saves, as the machine of these tests has it. */
const COST = [1, 0.6, 0.45, 0.3, 0.1];

/**
 * A machine that makes `speed` seconds of media a second when nothing is left out, and a reader that asks for one second
 * each second, at most a run-ahead of six behind it. Gives back the level after each half second.
 */
function run(speeds: readonly (readonly [seconds: number, speed: number])[]) {
  const controller = new PaceController();
  const levels: number[] = [];
  let stalledMs = 0;
  let [made, asked, nowMs] = [0, 0, 0];
  for (const [seconds, speed] of speeds) {
    for (let step = 0; step < seconds * 2; step++) {
      nowMs += 500;
      made = Math.min(asked + 6, made + (0.5 * speed) / (COST[controller.level] ?? 1));
      if (asked + 0.5 <= made) asked += 0.5;
      else stalledMs += 500;
      controller.observe(nowMs, made - asked);
      levels.push(controller.level);
    }
  }
  return { levels, stalledMs };
}

describe("PaceController", () => {
  test("a machine that keeps up leaves nothing out, also where it is ahead by little at first", () => {
    for (const speed of [1.15, 2, 6]) expect(Math.max(...run([[60, speed]]).levels)).toBe(0);
  });

  test("one that does not leaves out as many as it must, within seconds, and stalls no more", () => {
    const { levels, stalledMs } = run([[120, 0.5]]);
    expect(levels.slice(12)).not.toContain(0);
    // Now and then it tries with fewer left out.
    expect(levels.filter(level => level >= 2).length).toBeGreaterThan(levels.length * 0.6);
    expect(stalledMs).toBeLessThanOrEqual(6000);
  });

  test("what is far too slow ends as a slide show, not beyond the last level", () => {
    expect(run([[60, 0.02]]).levels.at(-1)).toBe(PACE_LEVELS.length - 1);
  });

  test("all pictures come back once the machine keeps up again", () => {
    const { levels } = run([
      [30, 0.5],
      [120, 3],
    ]);
    expect(levels.at(-1)).toBe(0);
  });

  test("where one level more is too much it does not go to and fro for ever", () => {
    const { levels } = run([[600, 0.7]]);
    const changes = levels.filter((level, i) => i > 0 && level !== levels[i - 1]).length;
    expect(changes).toBeLessThan(30);
    const late = levels.slice(-480);
    expect(late.filter((level, i) => i > 0 && level !== late[i - 1]).length).toBeLessThan(8);
  });
});
