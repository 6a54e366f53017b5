import { afterEach, beforeEach, expect, test } from "vitest";
import { noMetrics, ownerPrincipal, silentLogger, VirtualClock } from "../../core/index.ts";
import { WEBHOOK_ATTEMPTS, WEBHOOK_BATCH } from "../limits.ts";
import { createNotify, type Notify } from "../notify.ts";
import { createWebhooks, type DeliveryReport } from "./webhooks.ts";

let clock: VirtualClock;
let notify: Notify;
beforeEach(() => {
  clock = new VirtualClock(1_000_000);
  notify = createNotify()({ clock, log: silentLogger, metrics: noMetrics });
});
afterEach(() => notify.stop());

/** A webhook whose receiver answers with these; waits for reports of how it went. */
function hook(statusOf: (attempt: number) => number) {
  const reports: DeliveryReport[] = [];
  const sizes: number[] = [];
  const waiting: (() => void)[] = [];
  const webhooks = createWebhooks({
    events: notify.events,
    fanout: notify.fanout,
    clock,
    log: silentLogger,
    metrics: noMetrics,
    fetch: async (_, init) => {
      const { body } = init ?? {};
      if (typeof body !== "string") throw new Error("a webhook's body is text");
      sizes.push((JSON.parse(body) as { events: unknown[] }).events.length);
      return new Response(null, { status: statusOf(sizes.length) });
    },
  });
  webhooks.add({
    url: "https://receiver.example/hook",
    secret: "s",
    from: notify.events.nextOffset,
    selection: notify.select(ownerPrincipal, { types: ["custom_event"] }),
    onReport: async report => {
      reports.push(report);
      for (const wake of waiting.splice(0)) wake();
    },
  });
  const reported = async (count: number): Promise<void> => {
    while (reports.length < count) await new Promise<void>(resolve => waiting.push(resolve));
  };
  return { webhooks, reports, sizes, reported };
}

/** Lets what was promised happen, then time pass: a retry waits in it. */
async function pass(ms: number): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
  clock.advance(ms);
}

test("a receiver that never takes a batch is given up after so many attempts, and gets the next one", async () => {
  const { webhooks, reports, sizes, reported } = hook(attempt => (attempt <= WEBHOOK_ATTEMPTS ? 500 : 204));
  notify.emitEvent("custom_event", { n: 1 });
  await pass(100);
  for (let attempt = 1; attempt <= WEBHOOK_ATTEMPTS; attempt += 1) {
    await reported(attempt);
    await pass(120_000);
  }
  notify.emitEvent("custom_event", { n: 2 });
  await pass(100);
  await reported(WEBHOOK_ATTEMPTS + 1);
  const results = reports.map(({ result }) => result);
  expect(results.slice(0, -2)).toEqual(Array.from({ length: WEBHOOK_ATTEMPTS - 1 }, () => "retrying"));
  expect(results.slice(-2)).toEqual(["given_up", "accepted"]);
  expect(sizes).toHaveLength(WEBHOOK_ATTEMPTS + 1);
  await webhooks.close();
});

test("a request carries so many events and no more, and none is left out", async () => {
  const { webhooks, reports, sizes, reported } = hook(() => 204);
  for (let n = 0; n < 2 * WEBHOOK_BATCH + 50; n += 1) notify.emitEvent("custom_event", { n });
  await pass(100);
  await reported(3);
  expect(sizes).toEqual([WEBHOOK_BATCH, WEBHOOK_BATCH, 50]);
  expect(reports.at(-1)?.offset).toBe(2 * WEBHOOK_BATCH + 50);
  await webhooks.close();
});
