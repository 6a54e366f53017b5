import { describe, expect, it } from "vitest";
import { playerSetUp } from "../testing/player-set-up.ts";
import { Pacer, START_BURST_BYTES } from "./pacer.ts";

/** Bytes that leave in a second of ticks, by someone who always has more. */
function perSecond(pacer: Pacer, tick: (nowMs: number) => void): number {
  let bytes = 0;
  for (let now = 5; now <= 1000; now += 5) {
    tick(now);
    while (pacer.mayCarryOn) {
      pacer.spend(1000);
      bytes += 1000;
    }
  }
  return bytes;
}

describe("the pace of a viewer", () => {
  const path = (estimateBps: number | undefined, limitBps?: number) => ({ estimateBps, limitBps });

  it("lets pictures out at two and a half times their rate, or what the path is known to carry", () => {
    for (const [media, known, least, most] of [
      [2_000_000, path(undefined), 5_000_000, 5_600_000],
      [2_000_000, path(10_000_000), 8_000_000, 8_900_000],
      [500_000, path(900_000), 1_250_000, 1_500_000],
      [2_000_000, path(900_000, 800_000), 880_000, 1_100_000],
    ] as const) {
      const pacer = new Pacer(0);
      pacer.steady = true;
      while (pacer.mayCarryOn) pacer.spend(1000);
      const bps = perSecond(pacer, now => pacer.tick(now, media, known)) * 8;
      expect(bps).toBeGreaterThan(least * 0.95);
      expect(bps).toBeLessThan(most);
    }
  });

  it("lets a first picture out at once, as far as the path is known to take it", () => {
    const unknown = new Pacer(0);
    unknown.spend(START_BURST_BYTES - 1);
    expect(unknown.mayCarryOn).toBe(true);
    const narrow = new Pacer(0);
    while (narrow.mayCarryOn) narrow.spend(1000);
    narrow.tick(5, 500_000, path(400_000, 400_000));
    narrow.restart();
    expect(perSecond(narrow, () => undefined)).toBeLessThan(15_000);
  });

  it("hurries where pictures are larger than their track's average said, while the path is not the limit", () => {
    // 30 pictures of 30 kB a second where the average says next to nothing.
    const sizes = { frameBytes: 30_000, bitrateBps: 50_000, estimateBps: 400_000 };
    const set = playerSetUp({ durationSeconds: 6, kinds: ["video"], ...sizes });
    set.player.start(set.now());
    set.run(5000);
    expect(set.player.counts.late).toBeLessThan(15);
    expect(set.player.playback(set.now()).positionSeconds).toBeGreaterThan(4.8);
  });
});
