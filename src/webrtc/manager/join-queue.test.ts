import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../core/index.ts";
import { JoinQueue } from "./join-queue.ts";
import { MAX_WAITING_JOINS } from "./limits.ts";

function setUp(perSecond: number) {
  const clock = new VirtualClock();
  const queue = new JoinQueue({ perSecond, clock });
  const entered: number[] = [];
  const enter = (name: number, signal?: AbortSignal): Promise<void> =>
    queue.enter({ signal }).then(() => void entered.push(name));
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await new Promise(resolve => setImmediate(resolve));
  };
  return { clock, queue, entered, enter, pass };
}

describe("the queue of joins", () => {
  it("lets a few in at once, the others in turn at its rate", async () => {
    const { queue, entered, enter, pass } = setUp(10);
    for (let i = 0; i < 12; i++) void enter(i);
    await pass(0);
    expect(entered).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(queue.waiting).toBe(4);
    await pass(100);
    expect(entered.at(-1)).toBe(8);
    await pass(300);
    expect(entered).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(queue.waiting).toBe(0);
  });

  it("tells who comes when too many wait to come back when these are through", async () => {
    const { queue, enter } = setUp(10);
    for (let i = 0; i < 8 + MAX_WAITING_JOINS; i++) void enter(i);
    expect(queue.waiting).toBe(MAX_WAITING_JOINS);
    await expect(enter(999)).rejects.toMatchObject({ code: "BUSY", retryAfterSeconds: 13 });
  });

  it("gives the place of one that left to the next", async () => {
    const { entered, enter, pass, queue } = setUp(10);
    for (let i = 0; i < 8; i++) void enter(i);
    const controller = new AbortController();
    const leaving = enter(8, controller.signal);
    void enter(9);
    controller.abort(new Error("left"));
    await expect(leaving).rejects.toThrow("left");
    await pass(100);
    expect(entered.at(-1)).toBe(9);
    expect(queue.waiting).toBe(0);
  });

  it("holds nobody back where no rate is set, nor when it is closed", async () => {
    const { entered, enter, pass } = setUp(0);
    for (let i = 0; i < 1000; i++) void enter(i);
    await pass(0);
    expect(entered).toHaveLength(1000);
    const limited = setUp(1);
    for (let i = 0; i < 20; i++) void limited.enter(i);
    limited.queue.close();
    await limited.pass(0);
    expect(limited.entered).toHaveLength(20);
  });
});
