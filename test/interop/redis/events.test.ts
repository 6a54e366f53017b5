import { afterEach, beforeEach, expect, test } from "vitest";
import { type NotificationItem, subscribeToNotifications } from "../../../packages/client/src/index.ts";
import { noMetrics, silentLogger, systemClock } from "../../../src/core/index.ts";
import { Redis } from "ioredis";
import { createNotify, createSharedLog, type Notify, type SharedLog } from "../../../src/notify/index.ts";
import { MAX_OUTBOX, MAX_STREAM_EVENTS } from "../../../src/notify/redis/shared-log.ts";
import { serveSockets, type SocketServer } from "../../sockets/socket-server.ts";
import { findRedis, freePort, RedisServer } from "./redis-server.ts";

interface Node {
  readonly log: SharedLog;
  readonly notify: Notify;
  readonly server: SocketServer;
  readonly url: string;
}

const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };
const QUICK = { firstMs: 5, maxMs: 20, factor: 2, jitter: 0.5, maxAttempts: 100 };
const found = findRedis();
let redis: RedisServer;
let one: Node;
let two: Node;

function stateOf(log: SharedLog, state: "connected" | "degraded"): Promise<void> {
  if (log.state === state) return Promise.resolve();
  return new Promise(resolve => {
    const off = log.onState(now => {
      if (now !== state) return;
      off();
      resolve();
    });
  });
}

async function startNode(): Promise<Node> {
  const log = createSharedLog({ url: redis.url })(components);
  const notify = createNotify()({ ...components, events: log });
  const connected = stateOf(log, "connected");
  await log.start();
  await connected;
  const server = await serveSockets({ "/ws/notifications": notify.notifications });
  return { log, notify, server, url: server.url.replace("ws:", "http:") };
}

beforeEach(async ctx => {
  if (typeof found === "string") return ctx.skip(found);
  redis = new RedisServer(found, await freePort());
  await redis.start();
  one = await startNode();
  two = await startNode();
  return undefined;
});
afterEach(async () => {
  if (typeof found === "string") return;
  for (const { notify, server } of [one, two]) {
    await notify.stop();
    await server[Symbol.asyncDispose]();
  }
  await redis.kill();
});

/** Collects what a subscriber of a node gets, and waits for so much of it. */
function listener(node: Node, resume?: { epoch: string; offset: number }) {
  const items: NotificationItem[] = [];
  const numbers: unknown[] = [];
  const waiting: (() => void)[] = [];
  const subscription = subscribeToNotifications(
    { url: node.url },
    { backoff: QUICK, types: ["custom_event"], ...(resume === undefined ? {} : { resume }) },
    item => {
      items.push(item);
      if (item.type === "notification") numbers.push(item.data["n"]);
      for (const wake of waiting.splice(0)) wake();
    },
  );
  const until = async (accept: () => boolean): Promise<void> => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`${numbers.length} events, last ${JSON.stringify(items.slice(-3))}`)),
      60_000,
    );
    while (!accept()) await Promise.race([new Promise<void>(resolve => waiting.push(resolve)), late.promise]);
    clearTimeout(timer);
  };
  return { items, numbers, subscription, until };
}

test("events of either node reach the subscribers of both, in one order", async () => {
  const [a, b] = [listener(one), listener(two)];
  await Promise.all([a.subscription.ready, b.subscription.ready]);
  for (let n = 0; n < 200; n += 1) (n % 2 === 0 ? one : two).notify.emitEvent("custom_event", { n });
  await a.until(() => a.numbers.length === 200);
  await b.until(() => b.numbers.length === 200);
  expect(a.numbers).toEqual(b.numbers);
  expect(a.numbers.toSorted((x, y) => Number(x) - Number(y))).toEqual(
    Array.from({ length: 200 }, (_, n) => n),
  );
  expect(one.log.epoch).toBe(two.log.epoch);
  for (const { subscription } of [a, b]) subscription.close();
});

test("what happened while Redis was away is in the log of every node afterwards, once and in order", async () => {
  const numbersOf = ({ log }: Node): unknown[] =>
    log.recent(10_000, event => event.topic === "custom_event").map(({ data }) => data["n"]);
  const degraded = [stateOf(one.log, "degraded"), stateOf(two.log, "degraded")];
  await redis.kill();
  await Promise.all(degraded);
  // More than a node that joins loads at once would show a hole; fewer do not fill a page.
  for (let n = 0; n < 700; n += 1) one.notify.emitEvent("custom_event", { n });
  const connected = [stateOf(one.log, "connected"), stateOf(two.log, "connected")];
  await redis.start();
  await Promise.all(connected);
  const b = listener(two);
  await b.subscription.ready;
  two.notify.emitEvent("custom_event", { n: 700 });
  await b.until(() => b.numbers.includes(700));
  const a = listener(one);
  await a.subscription.ready;
  one.notify.emitEvent("custom_event", { n: 701 });
  await Promise.all([a, b].map(({ until, numbers }) => until(() => numbers.includes(701))));
  const all = Array.from({ length: 702 }, (_, n) => n);
  expect(numbersOf(one).toSorted((x, y) => Number(x) - Number(y))).toEqual(all);
  expect(numbersOf(two)).toEqual(numbersOf(one));
  for (const { subscription } of [a, b]) subscription.close();
});

test("a Redis that falls silent counts as away: local events go on", async () => {
  const a = listener(one);
  await a.subscription.ready;
  const degraded = stateOf(one.log, "degraded");
  redis.pause();
  one.notify.emitEvent("custom_event", { n: 0 });
  await a.until(() => a.numbers.length === 1);
  await degraded;
  const connected = stateOf(one.log, "connected");
  redis.resume();
  await connected;
  one.notify.emitEvent("custom_event", { n: 1 });
  await a.until(() => a.numbers.length === 2);
  expect(a.numbers).toEqual([0, 1]);
  a.subscription.close();
});

test("a client resumes at another node and gets exactly what it missed", async () => {
  const a = listener(one);
  await a.subscription.ready;
  one.notify.emitEvent("custom_event", { n: 0 });
  await a.until(() => a.numbers.length === 1);
  a.subscription.close();
  const resume = a.subscription.position;
  const watcher = listener(two);
  await watcher.subscription.ready;
  for (let n = 1; n < 100; n += 1) one.notify.emitEvent("custom_event", { n });
  await watcher.until(() => watcher.numbers.at(-1) === 99);
  const b = listener(two, resume);
  await b.until(() => b.numbers.at(-1) === 99);
  expect(b.items.filter(item => item.type === "resync_required")).toEqual([]);
  expect(b.numbers).toEqual(Array.from({ length: 99 }, (_, i) => i + 1));
  for (const { subscription } of [b, watcher]) subscription.close();
});

test("Redis killed and started again under load: local events go on, nothing is doubled, a resync is told", async () => {
  const a = listener(one);
  await a.subscription.ready;
  let n = 0;
  const emit = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      one.notify.emitEvent("custom_event", { n });
      n += 1;
    }
  };
  emit(500);
  await a.until(() => a.numbers.length >= 100);
  const degraded = [stateOf(one.log, "degraded"), stateOf(two.log, "degraded")];
  // Load goes on at the very moment of the kill, turn by turn.
  const dead = new AbortController();
  const load = (async () => {
    while (!dead.signal.aborted) {
      emit(10);
      await new Promise(resolve => setImmediate(resolve));
    }
  })();
  await redis.kill();
  dead.abort();
  await load;
  emit(100);
  await Promise.all(degraded);
  emit(100);
  await a.until(() => a.numbers.at(-1) === n - 1);
  const connected = [stateOf(one.log, "connected"), stateOf(two.log, "connected")];
  await redis.start();
  emit(50);
  await Promise.all(connected);
  const b = listener(two);
  await b.subscription.ready;
  emit(100);
  await a.until(() => a.numbers.at(-1) === n - 1);
  await b.until(() => b.numbers.at(-1) === n - 1);
  expect(a.numbers).toEqual(Array.from({ length: n }, (_, i) => i));
  expect(a.items.some(item => item.type === "resync_required")).toBe(true);
  expect(b.numbers).toEqual(Array.from({ length: 100 }, (_, i) => n - 100 + i));
  expect(one.log.epoch).toBe(two.log.epoch);
  for (const { subscription } of [a, b]) subscription.close();
});

test("so many events wait for Redis, and so many stay in it, the latest ones", async () => {
  const degraded = [stateOf(one.log, "degraded"), stateOf(two.log, "degraded")];
  await redis.kill();
  await Promise.all(degraded);
  const beyond = 50;
  for (let n = 0; n < MAX_OUTBOX + beyond; n += 1) one.notify.emitEvent("custom_event", { n });
  const connected = [stateOf(one.log, "connected"), stateOf(two.log, "connected")];
  await redis.start();
  await Promise.all(connected);
  const b = listener(two);
  await b.subscription.ready;
  two.notify.emitEvent("custom_event", { n: -1 });
  await b.until(() => b.numbers.includes(-1));
  using reader = { redis: new Redis(redis.url), [Symbol.dispose]: () => reader.redis.disconnect() };
  const stream = "{cidcast:events:v1}:stream";
  const [first] = await reader.redis.xrange(stream, "-", "+", "COUNT", 1);
  expect(JSON.parse(first?.[1][1] ?? "")).toMatchObject({ event: { data: { n: beyond } } });
  for (let n = 0; n < MAX_STREAM_EVENTS; n += 1) one.notify.emitEvent("custom_event", { n: -2 });
  two.notify.emitEvent("custom_event", { n: -3 });
  one.notify.emitEvent("custom_event", { n: -4 });
  await b.until(() => b.numbers.includes(-4));
  // Redis cuts whole nodes of its tree, a hundred entries each.
  expect(await reader.redis.xlen(stream)).toBeLessThan(MAX_STREAM_EVENTS + 200);
  b.subscription.close();
});
