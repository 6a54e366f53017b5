import { expect, test } from "vitest";
import { silentLogger, VirtualClock } from "../core/index.ts";
import { collectRegularly } from "./library.ts";

const result = { removedBlocks: 0, freedBytes: 0 };

test("garbage is collected every so often, one collection at a time, until the node stops", async () => {
  const clock = new VirtualClock();
  const waiting: (() => void)[] = [];
  const content = { gc: () => new Promise<typeof result>(resolve => waiting.push(() => resolve(result))) };
  const service = collectRegularly({ content, intervalMs: 1000, clock, log: silentLogger });
  clock.advance(999);
  expect(waiting).toHaveLength(0);
  clock.advance(2001);
  expect(waiting).toHaveLength(1);
  waiting[0]?.();
  await new Promise(setImmediate);
  clock.advance(1000);
  expect(waiting).toHaveLength(2);
  waiting[1]?.();
  await service.stop();
  clock.advance(5000);
  expect(waiting).toHaveLength(2);
});

test("a collection that fails is followed by the next; an interval of 0 means none", async () => {
  const clock = new VirtualClock();
  let calls = 0;
  const content = {
    gc: async () => {
      calls++;
      throw new Error("damaged");
    },
  };
  const service = collectRegularly({ content, intervalMs: 10, clock, log: silentLogger });
  const never = collectRegularly({ content, intervalMs: 0, clock, log: silentLogger });
  clock.advance(10);
  await new Promise(setImmediate);
  clock.advance(10);
  await service.stop();
  await never.stop();
  expect(calls).toBe(2);
});
