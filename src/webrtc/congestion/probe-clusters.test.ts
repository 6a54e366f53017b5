import { describe, expect, it } from "vitest";
import { ProbeClusters } from "./probe-clusters.ts";

const BYTES = 1200;

/** Bursts of two packets each 5 ms; `arriveMs` says when the n-th packet arrives. */
function probe(arriveMs: (n: number, sentMs: number) => number | undefined, packets = 24) {
  const clusters = new ProbeClusters();
  const id = clusters.open(0);
  const sent = Array.from({ length: packets }, (_, n) => Math.floor(n / 2) * 5);
  for (const ms of sent) clusters.onSent(id, BYTES, ms);
  clusters.close(id);
  for (const [n, ms] of sent.entries()) {
    const at = arriveMs(n, ms);
    if (at !== undefined) clusters.onArrival(id, BYTES, at);
  }
  return clusters;
}

describe("a probe", () => {
  it("measures what was sent where the path carries it", () => {
    const result = probe((_n, sentMs) => sentMs + 20).take(200);
    expect(result?.kind).toBe("measured");
    expect(result?.bps).toBeCloseTo(result?.sentBps ?? 0, -5);
    expect(result?.bps).toBeGreaterThan(3_400_000);
  });

  it("measures a little less than arrives where the path was full", () => {
    // One packet each 8 ms: 1.2 Mbit/s.
    const result = probe(n => 20 + n * 8).take(400);
    expect(result?.bps).toBeGreaterThan(1_050_000);
    expect(result?.bps).toBeLessThan(1_200_000);
  });

  it("is absurd where all arrives at once, or nothing took any time to send", () => {
    expect(probe(() => 500).take(600)?.kind).toBe("absurd");
    expect(probe((n, sentMs) => 400 + sentMs / 10 + n).take(600)?.kind).toBe("absurd");
    const clusters = new ProbeClusters();
    const id = clusters.open(0);
    for (let n = 0; n < 10; n++) clusters.onSent(id, BYTES, 0);
    clusters.close(id);
    for (let n = 0; n < 10; n++) clusters.onArrival(id, BYTES, 20 + n);
    expect(clusters.take(50)?.kind).toBe("absurd");
  });

  it("is indifferent to the order in which packets arrive", () => {
    const order = probe((_n, sentMs) => sentMs + 20).take(200);
    const shuffled = probe((n, sentMs) => sentMs + 20 + (n % 3 === 0 ? 4 : 0)).take(200);
    expect(shuffled?.kind).toBe("measured");
    expect(Math.abs((shuffled?.bps ?? 0) - (order?.bps ?? 0))).toBeLessThan(0.1 * (order?.bps ?? 0));
  });

  it("says nothing before most of it has arrived, nothing when much is lost, and is given once", () => {
    expect(probe((n, sentMs) => (n % 2 === 0 ? sentMs + 20 : undefined)).take(200)).toBeUndefined();
    const clusters = probe((n, sentMs) => (n % 8 === 0 ? undefined : sentMs + 20));
    expect(clusters.take(200)).toBeDefined();
    expect(clusters.take(210)).toBeUndefined();
  });

  it("keeps few of them, and forgets those without an answer", () => {
    const clusters = new ProbeClusters();
    const ids = Array.from({ length: 300 }, (_, i) => clusters.open(i * 10));
    expect(ids.every(id => id >= 1 && id <= 255)).toBe(true);
    // An old number belongs to nothing any more.
    clusters.onSent(ids[0] ?? 0, BYTES, 3000);
    expect(clusters.take(10_000)).toBeUndefined();
  });
});
