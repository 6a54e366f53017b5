import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type ServedNode, serveNode } from "../../contract/node/serve-node.ts";
import { TestClient } from "../../sockets/socket-server.ts";
import { retainedBytes } from "../memory.ts";

/** Rounds before the first look at memory, and after it. */
const WARM = 4;
const ROUNDS = 16;
/** Clients of each round at each door. */
const CLIENTS = 10;
const EVENTS = 400;
/** What the log's ring holds: full before memory is looked at. */
const RING_EVENTS = 16_384;
/** Growth that is no leak, as of code compiled meanwhile. Each of the 1,100 connections leaving 3 KiB behind would be beyond it. */
const SPARE_BYTES = 3 * 1024 * 1024;

let n = 0;

function emit({ node }: ServedNode, count: number): void {
  for (let i = 0; i < count; i += 1) {
    n += 1;
    node.notify?.emitEvent("custom_event", { n, text: `event ${n} ${"x".repeat(100)}` });
  }
}

/** Subscribes with a filter, hears of half of the events, loses its connection and resumes. */
async function subscriber(served: ServedNode, path: string): Promise<void> {
  const subscribe = { action: "subscribe", notification_types: ["custom_event"], filter: "n > 0" };
  const client = await TestClient.open(served.wsUrl + path);
  client.send(subscribe);
  await client.until(frame => frame["type"] === "subscription_confirmed");
  emit(served, EVENTS / CLIENTS);
  const last = await client.until(frame => frame["type"] === "notification");
  client.ws.terminate();
  await client.closed;
  const again = await TestClient.open(served.wsUrl + path);
  const { epoch } = served.node.notify!.events;
  again.send({ ...subscribe, resume: { epoch, offset: last["offset"] } });
  await again.until(frame => frame["type"] === "subscription_confirmed");
  await again.until(frame => frame["type"] === "notification");
  await again.close();
}

/** Server-sent events, left in the middle. */
async function stream(served: ServedNode): Promise<void> {
  const response = await fetch(`${served.url}/api/v0/events?types=custom_event`);
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
}

/** Two who talk in a room of their own; one leaves, one is cut off. */
async function talkers(served: ServedNode, room: string): Promise<void> {
  const at = `${served.wsUrl}/ws/signal/?room=${room}`;
  const early = await TestClient.open(at);
  early.send('{"type":"offer","sdp":"v=0"}');
  const late = await TestClient.open(at);
  await late.text();
  late.send('{"type":"answer","sdp":"v=0"}');
  await early.text();
  late.send('{"type":"leave"}');
  await early.text();
  early.ws.terminate();
  await Promise.all([early.closed, late.close()]);
}

/** An agent's session beside them. */
async function agent(served: ServedNode): Promise<void> {
  const url = `${served.url}/mcp`;
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const params = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "soak", version: "1" },
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  const begun = await fetch(url, { method: "POST", headers, body });
  await begun.text();
  const session = { "mcp-session-id": begun.headers.get("mcp-session-id") ?? "" };
  const ended = await fetch(url, { method: "DELETE", headers: { ...headers, ...session } });
  expect([begun.status, ended.status]).toEqual([200, 200]);
  await ended.text();
}

/** With somebody who listens: the log keeps what was made for sending as long as the event. */
async function fillRing(served: ServedNode): Promise<void> {
  using client = await TestClient.open(`${served.wsUrl}/ws/notifications`);
  client.send({ action: "subscribe", notification_types: ["custom_event"] });
  await client.until(frame => frame["type"] === "subscription_confirmed");
  for (let at = 0; at < RING_EVENTS; at += EVENTS) {
    emit(served, EVENTS);
    await client.until(frame => frame["type"] === "notification" && (frame["data"] as { n: number }).n === n);
  }
}

async function round(served: ServedNode, number: number): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, (_, i) => i);
  await Promise.all([
    ...clients.map(() => subscriber(served, "/ws/notifications")),
    ...clients.map(() => subscriber(served, "/ws")),
    ...clients.map(() => stream(served)),
    ...clients.map(i => talkers(served, `room-${number}-${i}`)),
    agent(served),
  ]);
  while (served.node.notify?.notifications.connections !== 0) await sleep(5);
}

test("events, rooms and agents that come and go leave nothing behind", async () => {
  await using served = await serveNode();
  await fillRing(served);
  let before = 0;
  for (let i = 0; i < WARM + ROUNDS; i += 1) {
    await round(served, i);
    // What the clients of this process keep of their requests.
    performance.clearResourceTimings();
    if (i === WARM - 1) before = retainedBytes();
  }
  expect(retainedBytes() - before).toBeLessThan(SPARE_BYTES);
});
