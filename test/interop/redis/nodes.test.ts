import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type NotificationItem, subscribeToNotifications } from "../../../packages/client/src/index.ts";
import type { NotificationType } from "@cidcast/protocols/notifications";
import { silentLogger } from "../../../src/core/index.ts";
import { type CidcastNode, createNode } from "../../../src/node.ts";
import { TestClient } from "../../sockets/socket-server.ts";
import { findRedis, freePort, RedisServer } from "./redis-server.ts";

const QUICK = { firstMs: 5, maxMs: 20, factor: 2, jitter: 0.5, maxAttempts: 100 };
const found = findRedis();
let directory: string;
let redis: RedisServer;
let nodes: CidcastNode[];

beforeEach(async ctx => {
  if (typeof found === "string") return ctx.skip(found);
  redis = new RedisServer(found, await freePort());
  await redis.start();
  directory = await mkdtemp(join(tmpdir(), "cidcast-nodes-"));
  nodes = await Promise.all(["one", "two"].map(startNode));
  await becomes("ready");
  return undefined;
});
afterEach(async () => {
  if (typeof found === "string") return;
  for (const node of nodes) await node.stop();
  await redis.kill();
  await rm(directory, { recursive: true });
});

function startNode(name: string): Promise<CidcastNode> {
  return createNode(
    {
      dataDir: join(directory, name),
      port: 0,
      sample: false,
      redisUrl: redis.url,
      webrtc: { enabled: false },
      p2p: { enabled: false },
      mcp: { enabled: false },
    },
    { log: silentLogger },
  );
}

/** Waits until events and rooms of both nodes say so. */
async function becomes(state: "ready" | "degraded"): Promise<void> {
  for (;;) {
    const all = await Promise.all(nodes.map(async node => (await node.status()).parts));
    const told = all.flat().filter(({ name }) => name === "events" || name === "rooms");
    if (told.every(part => part.state === state)) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

const nodeAt = (index: number): CidcastNode => {
  const node = nodes[index];
  if (node === undefined) throw new Error(`there is no node ${index}`);
  return node;
};

interface Seen {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

let made = 0;
/** Adds so many files at a node, one after the other, and tells their CIDs. */
async function add(index: number, count: number): Promise<string[]> {
  const cids: string[] = [];
  for (let i = 0; i < count; i += 1) {
    made += 1;
    const response = await fetch(`${nodeAt(index).url}/api/v0/add?name=${made}.txt`, {
      method: "POST",
      body: `file ${made}`,
      headers: { "content-type": "text/plain" },
    });
    cids.push(((await response.json()) as { cid: string }).cid);
  }
  return cids;
}

function listener(index: number, types: readonly NotificationType[] = ["content_added"]) {
  const items: NotificationItem[] = [];
  const cids: unknown[] = [];
  const waiting: (() => void)[] = [];
  const subscription = subscribeToNotifications(
    { url: nodeAt(index).url ?? "" },
    { backoff: QUICK, types },
    item => {
      items.push(item);
      if (item.type === "notification") cids.push(item.data["cid"]);
      for (const wake of waiting.splice(0)) wake();
    },
  );
  const has = async (wanted: readonly string[]): Promise<void> => {
    while (!wanted.every(cid => cids.includes(cid)))
      await new Promise<void>(resolve => waiting.push(resolve));
  };
  const until = async (accept: (seen: readonly Seen[]) => boolean): Promise<readonly Seen[]> => {
    for (;;) {
      const seen = items
        .filter(item => item.type === "notification")
        .map(({ notification_type: type, data }) => ({ type, data }));
      if (accept(seen)) return seen;
      await new Promise<void>(resolve => waiting.push(resolve));
    }
  };
  return { items, cids, subscription, has, until };
}

test("what is added at one node is heard at the other, and peers of both meet in a room", async () => {
  const [a, b] = [listener(0), listener(1)];
  await Promise.all([a.subscription.ready, b.subscription.ready]);
  const added = (await Promise.all([add(0, 20), add(1, 20)])).flat();
  await Promise.all([a.has(added), b.has(added)]);
  expect(a.cids).toEqual(b.cids);
  expect(a.cids).toHaveLength(40);
  const join = async (index: number, name: string): Promise<TestClient> => {
    const client = await TestClient.open(`${nodeAt(index).url?.replace("http:", "ws:")}/ws/signaling/`);
    client.send({ type: "join", payload: { peer_id: name }, room: "r" });
    await client.until(frame => frame["type"] === "joined");
    return client;
  };
  const one = await join(0, "one");
  const two = await join(1, "two");
  expect(await one.until(frame => frame["type"] === "peer-joined")).toMatchObject({ peer_id: "two" });
  for (const client of [one, two]) client[Symbol.dispose]();
  for (const { subscription } of [a, b]) subscription.close();
});

test("Redis killed and started again under load: each node goes on, says so, and hears each event once", async () => {
  const [a, b] = [listener(0), listener(1)];
  await Promise.all([a.subscription.ready, b.subscription.ready]);
  const before = await add(0, 10);
  const load = add(0, 40);
  await redis.kill();
  await becomes("degraded");
  expect(await (await fetch(`${nodeAt(0).url}/readyz`)).text()).toContain("degraded");
  const here = await load;
  await a.has([...before, ...here]);
  const more = add(0, 40);
  await redis.start();
  await becomes("ready");
  const meanwhile = await more;
  const after = await add(1, 5);
  await Promise.all([a.has([...meanwhile, ...after]), b.has(after)]);
  const all = [...before, ...here, ...meanwhile, ...after];
  expect(a.cids).toHaveLength(all.length);
  expect(new Set(a.cids)).toEqual(new Set(all));
  expect(new Set(b.cids).size).toBe(b.cids.length);
  expect(a.items.some(item => item.type === "resync_required")).toBe(true);
  for (const { subscription } of [a, b]) subscription.close();
});

test("nodes that share a Redis are a cluster: who comes and goes, and what is pinned, is told once to all", async () => {
  const types = [
    "cluster_peer_joined",
    "cluster_peer_left",
    "cluster_state_changed",
    "cluster_pin_added",
    "cluster_pin_removed",
  ] as const;
  const a = listener(0, types);
  await a.subscription.ready;
  const third = await startNode("three");
  await a.until(seen => seen.some(({ type }) => type === "cluster_peer_joined"));
  const [cid = ""] = await add(1, 1);
  const pins = `${nodeAt(1).url}/api/v0/pin/${cid}?name=mine`;
  await (await fetch(pins, { method: "POST" })).text();
  await (await fetch(pins, { method: "DELETE" })).text();
  await a.until(seen => seen.some(({ type }) => type === "cluster_pin_removed"));
  await third.stop();
  await a.until(seen => seen.some(({ type }) => type === "cluster_peer_left"));
  await add(0, 1);
  const seen = await a.until(() => true);
  const of = (type: string): readonly Seen[] => seen.filter(event => event.type === type);
  const [joined] = of("cluster_peer_joined");
  expect(of("cluster_peer_joined")).toHaveLength(1);
  expect(of("cluster_peer_left")).toEqual([{ type: "cluster_peer_left", data: joined?.data }]);
  expect(of("cluster_pin_added").filter(({ data }) => data["name"] === "mine")).toMatchObject([
    { data: { cid, peer_id: expect.any(String) } },
  ]);
  expect(of("cluster_pin_removed")).toMatchObject([{ data: { cid, name: "mine" } }]);
  a.subscription.close();
});
