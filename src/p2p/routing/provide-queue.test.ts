import { describe, expect, test } from "vitest";
import { EventBus, noMetrics, silentLogger, VirtualClock } from "../../core/index.ts";
import { MAX_PROVIDE_QUEUE, PROVIDE_CONCURRENCY, PROVIDE_RETRY_MS } from "../limits.ts";
import { peerMetrics } from "../metrics.ts";
import { until } from "../test-support.ts";
import { ProvideQueue } from "./provide-queue.ts";
import type { RoutingEvents } from "./types.ts";

const INTERVAL_MS = 3_600_000;

/** A queue whose telling ends when the test says so. */
function rig(roots: readonly string[] = []) {
  const clock = new VirtualClock();
  const events = new EventBus<RoutingEvents>(silentLogger);
  const alarms: string[] = [];
  events.on("provide_backlog", ({ data }) => alarms.push(data.message));
  const telling: { readonly cid: string; readonly end: () => void; readonly fail: () => void }[] = [];
  const queue = new ProvideQueue(
    { intervalMs: INTERVAL_MS },
    {
      tell: cid => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        telling.push({ cid, end: resolve, fail: () => reject(new Error("nobody took it")) });
        return promise;
      },
      async *roots() {
        yield* roots;
      },
      events,
      metrics: peerMetrics(noMetrics),
      clock,
      log: silentLogger,
    },
  );
  return { queue, clock, telling, alarms };
}

describe("what is here", () => {
  test("is told when it is added, a few at a time, each once", async () => {
    const { queue, telling } = rig();
    for (const cid of ["a", "b", "c", "d", "e", "e", "f"]) queue.add(cid);
    expect(telling.map(({ cid }) => cid)).toEqual(["a", "b", "c", "d"]);
    expect(PROVIDE_CONCURRENCY).toBe(4);
    for (const { end } of telling) end();
    await until(() => telling.length === 6);
    for (const { end } of telling) end();
    await until(() => queue.status.provided === 6);
    expect(queue.status).toMatchObject({ waiting: 0, failed: 0 });
  });

  test("is told again when nobody took it, sooner when a peer comes", async () => {
    const { queue, clock, telling } = rig();
    queue.add("a");
    telling[0]?.fail();
    await until(() => queue.status.failed === 1);
    expect(queue.status.waiting).toBe(1);
    clock.advance(PROVIDE_RETRY_MS);
    expect(telling).toHaveLength(2);
    telling[1]?.fail();
    await until(() => queue.status.failed === 2);
    clock.advance(PROVIDE_RETRY_MS);
    expect(telling).toHaveLength(2);
    queue.peerCame();
    clock.advance(PROVIDE_RETRY_MS);
    expect(telling).toHaveLength(3);
  });

  test("is told anew in rounds; a round that does not end in time is told of, once, until one does", async () => {
    const { queue, clock, telling, alarms } = rig(["a", "b"]);
    queue.start();
    await until(() => telling.length === 2);
    clock.advance(2 * INTERVAL_MS);
    expect(alarms).toHaveLength(1);
    expect(queue.status.backlog).toBe(alarms[0]);
    for (const { end } of telling) end();
    await until(() => queue.status.lastRoundMs !== undefined);
    expect(queue.status.backlog).toBeUndefined();
    clock.advance(INTERVAL_MS);
    await until(() => telling.length === 4);
    await queue.stop();
  });

  test("has a bounded queue, and an alarm at its bound", async () => {
    const { queue, alarms } = rig();
    for (let i = 0; i < MAX_PROVIDE_QUEUE + PROVIDE_CONCURRENCY; i++) queue.add(`cid-${i}`);
    expect(alarms).toEqual([]);
    queue.add("one more");
    expect(queue.status.waiting).toBe(MAX_PROVIDE_QUEUE + PROVIDE_CONCURRENCY);
    expect(alarms).toHaveLength(1);
    await queue.stop();
  });

  test("of any number goes through in a round, however small the queue", async () => {
    const roots = Array.from({ length: MAX_PROVIDE_QUEUE + 10 }, (_, i) => `cid-${i}`);
    const { queue, telling, alarms } = rig(roots);
    queue.start();
    for (let told = 0; told < roots.length; told++) {
      await until(() => telling.length > told);
      telling[told]?.end();
    }
    await until(() => queue.status.lastRoundMs !== undefined);
    expect(queue.status.provided).toBe(roots.length);
    expect(alarms).toEqual([]);
    await queue.stop();
  });
});
