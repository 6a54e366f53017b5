import { afterEach, beforeEach, expect, test } from "vitest";
import { noMetrics, silentLogger, systemClock } from "../../../src/core/index.ts";
import {
  createRedisRoomsBackplane,
  createRoomsService,
  type RedisRoomsBackplane,
  type RoomsService,
} from "../../../src/rooms/index.ts";
import { serveSockets, type SocketServer, TestClient } from "../../sockets/socket-server.ts";
import { findRedis, freePort, RedisServer } from "./redis-server.ts";

interface Node {
  readonly backplane: RedisRoomsBackplane;
  readonly service: RoomsService;
  readonly server: SocketServer;
}

const found = findRedis();
let redis: RedisServer;
let nodes: Node[];
let clients: TestClient[];

async function startNode(): Promise<Node> {
  const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };
  const backplane = createRedisRoomsBackplane({ url: redis.url })(components);
  const service = createRoomsService()({ ...components, backplane });
  const connected = stateOf(backplane, "connected");
  await backplane.start();
  await connected;
  const server = await serveSockets(
    Object.fromEntries(service.routes.map(({ path, handler }) => [path, handler])),
  );
  return { backplane, service, server };
}

function stateOf(backplane: RedisRoomsBackplane, state: "connected" | "degraded"): Promise<void> {
  if (backplane.state === state) return Promise.resolve();
  return new Promise(resolve => {
    const off = backplane.onState(now => {
      if (now !== state) return;
      off();
      resolve();
    });
  });
}

async function join(node: Node | undefined, name: string): Promise<TestClient> {
  const client = await TestClient.open(`${node?.server.url}/ws/signaling/`);
  clients.push(client);
  client.send({ type: "join", payload: { peer_id: name }, room: "r" });
  await client.until(frame => frame["type"] === "joined");
  return client;
}

/** Resolves when `client` sees these peers in its room. */
async function sees(client: TestClient, ...names: string[]): Promise<void> {
  for (;;) {
    client.send({ type: "peers" });
    const { peers } = await client.until(frame => frame["type"] === "peers");
    if (JSON.stringify((peers as string[]).toSorted()) === JSON.stringify(names)) return;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

beforeEach(async ctx => {
  if (typeof found === "string") return ctx.skip(found);
  clients = [];
  redis = new RedisServer(found, await freePort());
  await redis.start();
  nodes = [await startNode(), await startNode()];
  return undefined;
});
afterEach(async () => {
  if (typeof found === "string") return;
  for (const client of clients) client[Symbol.dispose]();
  for (const { backplane, service, server } of nodes) {
    await service.stop();
    await backplane.stop();
    await server[Symbol.asyncDispose]();
  }
  await redis.kill();
});

test("peers of two nodes meet in one room and signal to each other", async () => {
  const a = await join(nodes[0], "a");
  const b = await join(nodes[1], "b");
  expect(await a.next()).toMatchObject({ type: "peer-joined", peer_id: "b" });
  await sees(a, "a", "b");
  await sees(b, "a", "b");
  a.send({ type: "offer", payload: { target_peer_id: "b", offer: { type: "offer", sdp: "x" } }, room: "r" });
  expect(await b.next()).toMatchObject({ type: "offer", offer: { sdp: "x" }, source_peer_id: "a" });
  await b.close();
  expect(await a.next()).toMatchObject({ type: "peer-left", peer_id: "b" });
});

test("an offer waits for a late joiner at another node, byte for byte", async () => {
  const open = (node: Node | undefined) => TestClient.open(`${node?.server.url}/ws/signal/?room=r`);
  const first = await open(nodes[0]);
  const offer = '{"type": "offer",  "sdp": "ß"}';
  first.send(offer);
  first.send("{}");
  await first.next();
  const second = await open(nodes[1]);
  expect(await second.text()).toBe(offer);
  second.send('{"type":"answer"}');
  expect(await first.text()).toBe('{"type":"answer"}');
  clients.push(first, second);
});

test("while Redis is gone each node goes on by itself; when it is back they agree again, and nothing is doubled", async () => {
  const a = await join(nodes[0], "a");
  const b = await join(nodes[1], "b");
  const gone = await join(nodes[1], "gone");
  await sees(a, "a", "b", "gone");
  const degraded = nodes.map(({ backplane }) => stateOf(backplane, "degraded"));
  await redis.kill();
  await Promise.all(degraded);
  const c = await join(nodes[0], "c");
  a.send({ type: "offer", payload: { target_peer_id: "c", offer: 1 }, room: "r" });
  expect(await c.until(frame => frame["type"] === "offer")).toMatchObject({ source_peer_id: "a" });
  await gone.close();
  const connected = nodes.map(({ backplane }) => stateOf(backplane, "connected"));
  await redis.start();
  await Promise.all(connected);
  await sees(b, "a", "b", "c");
  await sees(a, "a", "b", "c");
  a.send({ type: "offer", payload: { target_peer_id: "b", offer: 2 }, room: "r" });
  expect(await b.until(frame => frame["type"] === "offer")).toMatchObject({ offer: 2 });
  b.send({ type: "peers" });
  expect((await b.next())["type"]).toBe("peers");
});

test("a node that dies takes its peers along", async () => {
  const a = await join(nodes[0], "a");
  await join(nodes[1], "b");
  await sees(a, "a", "b");
  await nodes[1]?.backplane.stop();
  expect(await a.until(frame => frame["type"] === "peer-left")).toMatchObject({ peer_id: "b" });
});
