import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../core/index.ts";
import { MediaClock } from "./media-clock.ts";

describe("MediaClock", () => {
  test("stands until it plays, then moves with the clock, and stands again when paused", () => {
    const time = new VirtualClock();
    const clock = new MediaClock(time);
    time.advance(500);
    expect(clock.positionSeconds).toBe(0);
    clock.play();
    time.advance(1500);
    expect(clock.positionSeconds).toBe(1.5);
    clock.pause();
    time.advance(1000);
    expect([clock.positionSeconds, clock.playing]).toEqual([1.5, false]);
    clock.play();
    time.advance(250);
    expect(clock.positionSeconds).toBe(1.75);
  });

  test("a seek keeps the state, and lands within the media", () => {
    const time = new VirtualClock();
    const clock = new MediaClock(time, { durationSeconds: 10 });
    clock.seek(4);
    time.advance(1000);
    expect(clock.positionSeconds).toBe(4);
    clock.play();
    clock.seek(8);
    time.advance(1000);
    expect(clock.positionSeconds).toBe(9);
    clock.seek(99);
    expect([clock.positionSeconds, clock.ended]).toEqual([10, true]);
    clock.seek(-1);
    expect([clock.positionSeconds, clock.ended]).toEqual([0, false]);
    clock.seek(Number.NaN);
    expect(clock.positionSeconds).toBe(0);
  });

  test("stops at the end, and plays again from where a seek puts it", () => {
    const time = new VirtualClock();
    const clock = new MediaClock(time, { durationSeconds: 2 });
    clock.play();
    time.advance(60_000);
    expect([clock.positionSeconds, clock.ended]).toEqual([2, true]);
    clock.seek(0);
    time.advance(500);
    expect([clock.positionSeconds, clock.ended]).toEqual([0.5, false]);
  });

  test("a change of rate counts from that moment on and stays within its limits", () => {
    const time = new VirtualClock();
    const clock = new MediaClock(time);
    clock.play();
    time.advance(1000);
    clock.setRate(2);
    time.advance(1000);
    expect(clock.positionSeconds).toBe(3);
    clock.setRate(100);
    expect(clock.rate).toBe(4);
    clock.setRate(0);
    expect(clock.rate).toBe(0.25);
  });

  test("tells when a position is due, at any rate", () => {
    const time = new VirtualClock(1000);
    const clock = new MediaClock(time, { rate: 2 });
    expect(clock.timeOf(1)).toBeUndefined();
    clock.play();
    expect(clock.timeOf(3)).toBe(2500);
    expect(clock.positionAt(2500)).toBe(3);
  });

  test("never runs backwards but by a seek, whatever is done to it", () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant("advance" as const), value: fc.integer({ min: 0, max: 5000 }) }),
      fc.record({ kind: fc.constant("rate" as const), value: fc.double({ min: -1, max: 9 }) }),
      fc.record({ kind: fc.constantFrom("play" as const, "pause" as const), value: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(action), actions => {
        const time = new VirtualClock();
        const clock = new MediaClock(time, { durationSeconds: 20 });
        let before = 0;
        for (const { kind, value } of actions) {
          if (kind === "advance") time.advance(value);
          else if (kind === "rate") clock.setRate(value);
          else clock[kind]();
          const now = clock.positionSeconds;
          expect(now).toBeGreaterThanOrEqual(before - 1e-9);
          expect(now).toBeLessThanOrEqual(20);
          before = now;
        }
      }),
    );
  });
});
