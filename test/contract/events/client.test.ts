import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  CidcastClient,
  joinBroadcastRoom,
  joinTargetedRoom,
  type NotificationItem,
  type RelayMessage,
  subscribeToNotifications,
} from "../../../packages/client/src/index.ts";
import { MAX_WAITING } from "../../../packages/client/src/notifications/subscription.ts";
import { noMetrics, silentLogger, systemClock } from "../../../src/core/index.ts";
import { createNotify, type Notify } from "../../../src/notify/index.ts";
import { createRoomsService, type RoomsService } from "../../../src/rooms/index.ts";
import { serveSockets, type SocketServer } from "../../sockets/socket-server.ts";

const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };
const QUICK = { firstMs: 5, maxMs: 20, factor: 2, jitter: 0.5, maxAttempts: 50 };

let notify: Notify;
let rooms: RoomsService;
let server: SocketServer;
const url = (): string => server.url.replace("ws:", "http:");
beforeEach(async () => {
  notify = createNotify({ maxEvents: 100 })(components);
  rooms = createRoomsService()(components);
  server = await serveSockets({
    "/ws/notifications": notify.notifications,
    ...Object.fromEntries(rooms.routes.map(({ path, handler }) => [path, handler])),
  });
});
afterEach(async () => {
  await notify.stop();
  await rooms.stop();
  await server[Symbol.asyncDispose]();
});

describe("subscribeToNotifications", () => {
  test("gives events to whoever iterates, by type and filter", async () => {
    using client = new CidcastClient({ url: url() });
    using subscription = client.subscribeToNotifications({
      types: ["pin_added"],
      filter: 'cid ^= "b"',
      flushMs: 0,
    });
    await subscription.ready;
    notify.emitEvent("pin_removed", { cid: "b0" });
    notify.emitEvent("pin_added", { cid: "a" });
    notify.emitEvent("pin_added", { cid: "b1" });
    for await (const item of subscription) {
      expect(item).toMatchObject({
        type: "notification",
        notification_type: "pin_added",
        data: { cid: "b1" },
      });
      break;
    }
    expect(subscription.state).toBe("closed");
  });

  test("a lost connection is made again and misses nothing; a log that is gone is told", async () => {
    const items: NotificationItem[] = [];
    const heard = (count: number): Promise<void> =>
      new Promise(resolve => {
        const look = (): void => (items.length >= count ? resolve() : void setImmediate(look));
        look();
      });
    using subscription = subscribeToNotifications({ url: url() }, { backoff: QUICK }, item =>
      items.push(item),
    );
    await subscription.ready;
    notify.emitEvent("pin_added", { cid: "1" });
    await heard(1);
    for (const socket of server.sockets) socket.terminate();
    notify.emitEvent("pin_added", { cid: "2" });
    await heard(2);
    for (const socket of server.sockets) socket.terminate();
    for (let n = 0; n < 200; n += 1) notify.emitEvent("pin_added", { cid: `lost ${n}` });
    await heard(3);
    expect(items.slice(0, 3)).toMatchObject([
      { data: { cid: "1" } },
      { data: { cid: "2" } },
      { type: "resync_required", reason: "the events after it are no longer kept" },
    ]);
    notify.emitEvent("pin_added", { cid: "3" });
    await heard(4);
    expect(items[3]).toMatchObject({ data: { cid: "3" } });
    expect(subscription.position).toEqual({ epoch: notify.events.epoch, offset: 203 });
  });

  test("another subscription resumes where one was closed", async () => {
    const first = subscribeToNotifications({ url: url() });
    await first.ready;
    first.close();
    notify.emitEvent("pin_added", { cid: "1" });
    const resume = first.position;
    expect(resume).toBeDefined();
    using second = subscribeToNotifications({ url: url() }, resume === undefined ? {} : { resume });
    for await (const item of second) {
      expect(item).toMatchObject({ data: { cid: "1" } });
      break;
    }
  });

  test("a reader that is slow lets the node's log hold what it has not read", async () => {
    const large = createNotify()(components);
    await using other = await serveSockets({ "/ws/notifications": large.notifications });
    using subscription = subscribeToNotifications(
      { url: other.url.replace("ws:", "http:") },
      { backoff: QUICK },
    );
    await subscription.ready;
    for (let n = 0; n < MAX_WAITING + 2000; n += 1) large.emitEvent("custom_event", { n });
    while (subscription.state !== "waiting") await new Promise(setImmediate);
    expect(large.notifications.connections).toBeLessThanOrEqual(1);
    const seen: unknown[] = [];
    for await (const item of subscription) {
      if (item.type === "notification") seen.push(item.data["n"]);
      if (seen.length === MAX_WAITING + 2000) break;
    }
    expect(seen).toEqual(Array.from({ length: MAX_WAITING + 2000 }, (_, n) => n));
    await large.stop();
  });

  test("what the node refuses rejects with its code", async () => {
    using broken = subscribeToNotifications({ url: url() }, { filter: "size >" });
    await expect(broken.ready).rejects.toMatchObject({ name: "ClientError", code: "INVALID_REQUEST" });
    await expect(broken[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  test("a node that is not there is tried as often as was said", async () => {
    const nowhere = subscribeToNotifications(
      { url: "http://127.0.0.1:1" },
      { backoff: { ...QUICK, maxAttempts: 2 } },
    );
    await expect(nowhere.ready).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
    expect(nowhere.state).toBe("closed");
  });

  test("a signal, and closing the client, end it", async () => {
    const controller = new AbortController();
    const client = new CidcastClient({ url: url() });
    const one = client.subscribeToNotifications({ signal: controller.signal });
    const two = client.subscribeToNotifications();
    await Promise.all([one.ready, two.ready]);
    controller.abort();
    await expect(one[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "ABORTED" });
    expect([one.state, two.state]).toEqual(["closed", "subscribed"]);
    client.close();
    expect(two.state).toBe("closed");
  });
});

test("a process that has closed its client ends by itself", async () => {
  const script = `
    import { CidcastClient } from ${JSON.stringify(new URL("../../../packages/client/src/index.ts", import.meta.url).href)};
    const client = new CidcastClient({ url: process.argv[1] });
    await client.subscribeToNotifications({}, () => {}).ready;
    await client.joinRoom();
    client.close();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, url()], { stdio: "inherit" });
  expect(await once(child, "exit")).toEqual([0, null]);
});

describe("rooms", () => {
  test("a broadcast room: an offer made before is heard", async () => {
    using first = await joinBroadcastRoom({ url: url() }, { room: "r" });
    first.send({ type: "offer", sdp: "x" });
    const answered = new Promise<RelayMessage>(resolve => first.on("message", resolve));
    const texts: string[] = [];
    const heard = Promise.withResolvers<void>();
    using second = await joinBroadcastRoom(
      { url: url() },
      { room: "r", onMessage: (_, text) => (texts.push(text), heard.resolve()) },
    );
    await heard.promise;
    expect(texts).toEqual(['{"type":"offer","sdp":"x"}']);
    second.send({ type: "answer", sdp: "y" });
    expect(await answered).toEqual({ type: "answer", sdp: "y" });
  });

  test("a targeted room: offers reach their peer, and a taken name is refused", async () => {
    const a = await joinTargetedRoom({ url: url() }, { room: "r", peerId: "a" });
    using b = await joinTargetedRoom({ url: url() }, { room: "r", peerId: "b" });
    expect(b.peers).toEqual(["a"]);
    const offered = new Promise(resolve => b.on("offer", resolve));
    a.offer("b", { type: "offer", sdp: "x" });
    expect(await offered).toEqual({ from: "a", offer: { type: "offer", sdp: "x" } });
    await expect(joinTargetedRoom({ url: url() }, { room: "r", peerId: "a" })).rejects.toMatchObject({
      name: "ClientError",
    });
    using again = await joinTargetedRoom(
      { url: url() },
      { room: "r", peerId: "a", resumeToken: a.resumeToken },
    );
    expect(again.peers).toEqual(["b"]);
    expect(() => a.offer("b", {})).toThrow(expect.objectContaining({ code: "NODE_UNREACHABLE" }));
  });
});
