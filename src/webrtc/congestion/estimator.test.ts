import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BandwidthEstimator } from "./index.ts";
import { type PathInit, SimulatedPath } from "./testing-link.ts";

const PACKET_BYTES = 1200;
const FEEDBACK_MS = 50;
/** The viewer's clock has another origin. */
const CLOCK_OFFSET_MS = 123_456;

interface Sample {
  readonly ms: number;
  readonly estimateBps: number;
  readonly limitBps: number | undefined;
  readonly queueMs: number;
}

interface RunInit extends PathInit {
  readonly seconds: number;
  /** What is sent, given the estimate. */
  readonly sendBps: (nowMs: number, estimator: BandwidthEstimator) => number;
  /** When our own loop runs: late by that much. */
  readonly lateMs?: (nowMs: number) => number;
}

/** 30 frames a second, each sent at once, feedback every 50 ms; all in virtual time. */
function simulate(init: RunInit): { readonly estimator: BandwidthEstimator; readonly samples: Sample[] } {
  const estimator = new BandwidthEstimator();
  const path = new SimulatedPath(init);
  const samples: Sample[] = [];
  let sequence = 65_000;
  let frameMs = 0;
  let feedbackMs = FEEDBACK_MS;
  let owed = 0;
  for (let now = 0; now < init.seconds * 1000; now++) {
    if (now >= frameMs + (init.lateMs?.(frameMs) ?? 0)) {
      frameMs += 1000 / 30;
      owed += init.sendBps(now, estimator) / 8 / 30;
      for (; owed >= PACKET_BYTES; owed -= PACKET_BYTES) {
        estimator.onSent(sequence, PACKET_BYTES, now);
        path.send(sequence, PACKET_BYTES, now);
        sequence = (sequence + 1) & 0xffff;
      }
    }
    if (now < feedbackMs) continue;
    feedbackMs += FEEDBACK_MS;
    estimator.onFeedbackBegin(now);
    for (const { sequence: reported, arrivedMs } of path.feedback(now)) {
      const units = arrivedMs === undefined ? undefined : Math.round((arrivedMs + CLOCK_OFFSET_MS) * 4);
      estimator.onArrival(reported, units);
    }
    estimator.onFeedbackEnd();
    samples.push({
      ms: now,
      estimateBps: estimator.estimateBps,
      limitBps: estimator.limitBps(now),
      queueMs: path.queueMs(now),
    });
  }
  return { estimator, samples };
}

const between = (samples: readonly Sample[], from: number, to: number): Sample[] =>
  samples.filter(({ ms }) => ms >= from * 1000 && ms < to * 1000);
const mbps = 1_000_000;

describe("the bandwidth estimate", () => {
  it("comes to what is sent where the path carries it, and sets no limit", () => {
    const { samples } = simulate({ seconds: 20, capacityBps: () => 5 * mbps, sendBps: () => 2.5 * mbps });
    expect(between(samples, 2, 20).every(({ estimateBps }) => estimateBps > 2.3 * mbps)).toBe(true);
    expect(samples.every(({ limitBps }) => limitBps === undefined)).toBe(true);
    // No more than has been shown.
    expect(samples.at(-1)?.estimateBps).toBeLessThan(4 * mbps);
  });

  it("is not misled by our own lateness, nor by pauses", () => {
    const { samples } = simulate({
      seconds: 20,
      capacityBps: () => 5 * mbps,
      sendBps: now => (now % 5000 < 1500 ? 50_000 : 2 * mbps),
      lateMs: frame => (Math.floor(frame / 1000) % 3 === 0 ? 25 : 0),
    });
    expect(samples.every(({ limitBps }) => limitBps === undefined)).toBe(true);
    expect(between(samples, 3, 20).every(({ estimateBps }) => estimateBps > 1.8 * mbps)).toBe(true);
  });

  it("falls under a path that narrows within a second, and the queue goes", () => {
    const { samples } = simulate({
      seconds: 20,
      capacityBps: now => (now < 8000 ? 5 * mbps : 900_000),
      queueLimitMs: 2000,
      sendBps: (now, estimator) => Math.min(2.5 * mbps, estimator.limitBps(now) ?? 2.5 * mbps),
    });
    const fallen = samples.find(({ ms, estimateBps }) => ms > 8000 && estimateBps < 900_000);
    expect(fallen?.ms).toBeLessThan(9000);
    const queues = between(samples, 8, 20).map(({ queueMs }) => queueMs);
    expect(Math.max(...queues)).toBeLessThan(1200);
    expect(queues.toSorted((a, b) => a - b)[Math.floor(queues.length / 2)]).toBeLessThan(150);
  });

  it("grows again when the path is wide again", () => {
    const { samples } = simulate({
      seconds: 40,
      capacityBps: now => (now > 8000 && now < 16_000 ? 900_000 : 5 * mbps),
      sendBps: (_now, estimator) => Math.min(2.5 * mbps, estimator.estimateBps),
    });
    expect(Math.max(...between(samples, 10, 16).map(({ estimateBps }) => estimateBps))).toBeLessThan(
      1.3 * mbps,
    );
    expect(samples.at(-1)?.estimateBps).toBeGreaterThan(2.3 * mbps);
  });

  it("does not fall for random loss of five in a hundred", () => {
    const { samples, estimator } = simulate({
      seconds: 20,
      capacityBps: () => 5 * mbps,
      sendBps: () => 2.5 * mbps,
      loses: index => index % 20 === 7,
    });
    expect(estimator.lossShare(20_000)).toBeCloseTo(0.05, 1);
    expect(between(samples, 3, 20).every(({ estimateBps }) => estimateBps > 2 * mbps)).toBe(true);
  });

  it("falls for loss beyond ten in a hundred, but not under what arrives", () => {
    const { samples, estimator } = simulate({
      seconds: 10,
      capacityBps: () => 5 * mbps,
      sendBps: () => 2.5 * mbps,
      loses: (index, now) => now > 5000 && index % 4 === 0,
    });
    const last = samples.at(-1)!;
    expect(estimator.cause).toBe("loss");
    expect(last.limitBps).toBeLessThan(2.2 * mbps);
    expect(last.limitBps).toBeGreaterThan(1.4 * mbps);
  });

  it("sees no limit in a viewer that is busy for a fifth of a second at times", () => {
    const { samples } = simulate({
      seconds: 20,
      capacityBps: () => 50 * mbps,
      delayMs: 5,
      stallMs: now => (Math.floor(now / 1000) % 4 === 2 && now % 1000 < 200 ? 200 - (now % 1000) : 0),
      sendBps: () => 2.5 * mbps,
    });
    expect(samples.every(({ limitBps }) => limitBps === undefined)).toBe(true);
  });

  it("takes REMB and reported loss of a viewer without transport-wide feedback, and only then", () => {
    const estimator = new BandwidthEstimator();
    estimator.onRemb(600_000, 0);
    expect([estimator.estimateBps, estimator.cause]).toEqual([600_000, "remb"]);
    estimator.onReportedLoss(0.3, 500_000, 1000);
    expect(estimator.estimateBps).toBe(510_000);
    estimator.onFeedbackBegin(1100);
    estimator.onRemb(90_000, 1200);
    estimator.onReportedLoss(0.5, 500_000, 3000);
    expect(estimator.estimateBps).toBe(510_000);
  });

  it("stays within its bounds whatever feedback says", () => {
    const event = fc.record({
      sequence: fc.integer({ min: 0, max: 0xffff }),
      at: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 }), { nil: undefined }),
      sent: fc.boolean(),
      later: fc.integer({ min: 0, max: 5000 }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 400 }), events => {
        const estimator = new BandwidthEstimator();
        let now = 0;
        for (const { sequence, at, sent, later } of events) {
          now += later;
          if (sent) estimator.onSent(sequence, PACKET_BYTES, now);
          estimator.onFeedbackBegin(now);
          estimator.onArrival(sequence, at);
          estimator.onFeedbackEnd();
          expect(estimator.estimateBps).toBeGreaterThanOrEqual(80_000);
          expect(estimator.estimateBps).toBeLessThanOrEqual(50_000_000);
          expect(estimator.queueMs).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});
