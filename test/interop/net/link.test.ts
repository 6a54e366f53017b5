import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../src/core/index.ts";
import { Link, type LinkSettings, seeded } from "./link.ts";

function send(settings: LinkSettings, count: number, everyMs: number) {
  const clock = new VirtualClock();
  const arrived: { readonly packet: number; readonly atMs: number }[] = [];
  const link = new Link<number>({
    clock,
    random: seeded(7),
    deliver: packet => arrived.push({ packet, atMs: clock.monotonicMs() }),
  });
  link.set(settings);
  for (let i = 0; i < count; i++) {
    link.push(i, 1222);
    clock.advance(everyMs);
  }
  clock.advance(5000);
  return { arrived, link };
}

describe("a link", () => {
  test("lets pass what its rate allows, queues some, and drops the rest", () => {
    // 10 kbit each 5 ms are 2 Mbit/s.
    const { arrived, link } = send({ rateBps: 1_000_000, queueMs: 200 }, 400, 5);
    expect(arrived.length / 400).toBeCloseTo(0.55, 1);
    expect(link.counts.overflowed).toBe(400 - arrived.length);
    expect(Math.max(...link.waits)).toBeLessThanOrEqual(200);
    const seconds = ((arrived.at(-1)?.atMs ?? 0) - (arrived[0]?.atMs ?? 0)) / 1000;
    expect(((arrived.length - 1) * 10_000) / seconds).toBeCloseTo(1_000_000, -4);
  });

  test("gives others their share", () => {
    const { arrived } = send({ rateBps: 2_000_000, crossBps: 1_500_000, queueMs: 100 }, 400, 5);
    expect(arrived.length / 400).toBeCloseTo(0.3, 1);
  });

  test("loses each by itself, or many in a row", () => {
    const alone = send({ loss: 0.05 }, 4000, 1);
    expect(alone.arrived.length / 4000).toBeCloseTo(0.95, 1);
    const bursts = send({ burst: { begin: 0.011, end: 0.1 } }, 4000, 1);
    expect(bursts.link.counts.lost / 4000).toBeGreaterThan(0.05);
    const gaps = bursts.arrived.slice(1).map(({ packet }, i) => packet - (bursts.arrived[i]?.packet ?? 0));
    expect(Math.max(...gaps)).toBeGreaterThan(15);
  });

  test("delays, keeps the order under jitter, and breaks it where it is to", () => {
    const steady = send({ delayMs: 30, jitterMs: 20 }, 200, 2);
    expect(steady.arrived.map(({ packet }) => packet)).toEqual(Array.from({ length: 200 }, (_, i) => i));
    for (const { packet, atMs } of steady.arrived) expect(atMs - packet * 2).toBeGreaterThanOrEqual(30);
    const mixed = send({ delayMs: 30, reorder: 0.1 }, 200, 2).arrived.map(({ packet }) => packet);
    expect(mixed).not.toEqual(mixed.toSorted((a, b) => a - b));
    expect(mixed).toHaveLength(200);
  });

  test("that is blocked lets nothing pass", () => {
    expect(send({ blocked: true }, 10, 1).arrived).toEqual([]);
  });
});
