import { frameSchema, NOTIFICATION_TYPES } from "@cidcast/protocols/notifications";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serveSockets, type SocketServer, TestClient } from "../../../test/sockets/socket-server.ts";
import { noMetrics, ownerPrincipal, type Principal, silentLogger, systemClock } from "../../core/index.ts";
import { createNotify, type Notify } from "../notify.ts";
import { MAX_HISTORY_CHARS, MAX_REFUSED, REQUEST_BURST } from "../limits.ts";

const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };

describe("/ws/notifications", () => {
  let notify: Notify;
  let server: SocketServer;
  beforeEach(async () => {
    notify = createNotify()(components);
    server = await serveSockets({ "/ws/notifications": notify.notifications });
  });
  afterEach(async () => {
    await notify.stop();
    await server[Symbol.asyncDispose]();
  });

  const open = (): Promise<TestClient> => TestClient.open(`${server.url}/ws/notifications`);
  const added = (cid: string, size = 1) =>
    notify.emitEvent("content_added", { cid, size, content_type: "video/mp4" }, { source: "test" });

  test("welcomes with every type", async () => {
    using client = await open();
    expect(await client.next()).toEqual({
      type: "welcome",
      message: "Connected to IPFS notification service",
      connection_id: expect.stringMatching(/^conn_\d+_\d+$/),
      available_notifications: NOTIFICATION_TYPES,
      timestamp: expect.any(Number),
      epoch: notify.events.epoch,
      offset: 0,
    });
  });

  test("a subscription as the main document writes it brings the events of those types", async () => {
    using client = await open();
    await client.next();
    client.send({
      action: "subscribe",
      notification_types: ["content_added", "content_removed", "transfer_progress", "no_such_type"],
    });
    expect(await client.next()).toMatchObject({
      type: "subscription_confirmed",
      notification_types: ["content_added", "content_removed", "transfer_progress"],
      filters: {},
      invalid_types: ["no_such_type"],
    });
    notify.emitEvent("pin_added", { cid: "bafy1" });
    added("bafy2", 5);
    expect(await client.next()).toEqual({
      type: "notification",
      notification_type: "content_added",
      data: { cid: "bafy2", size: 5, content_type: "video/mp4" },
      timestamp: expect.any(Number),
      source: "test",
      offset: 2,
    });
  });

  test("every reply and error has the form of the protocol", async () => {
    using client = await open();
    await client.next();
    const ask = async (value: unknown): Promise<Record<string, unknown>> => {
      client.send(value);
      const frame = await client.next();
      expect(frameSchema.safeParse(frame).error).toBeUndefined();
      return frame;
    };
    added("bafy1");
    expect(await ask({ action: "ping" })).toMatchObject({ type: "pong", offset: 1 });
    expect(await ask({ action: "get_history", limit: 5, notification_type: "content_added" })).toMatchObject({
      type: "history",
      count: 1,
      events: [{ type: "notification", data: { cid: "bafy1" } }],
    });
    await ask({ action: "subscribe", notification_types: ["all_events"], filters: { cid: "x" } });
    expect(await ask({ action: "get_metrics" })).toMatchObject({
      type: "metrics",
      metrics: {
        connections_total: 1,
        active_connections: 1,
        notifications_sent: 0,
        subscriptions_by_type: { all_events: 1 },
        timestamp: expect.any(Number),
      },
    });
    expect(await ask({ action: "get_info" })).toMatchObject({
      type: "connection_info",
      info: {
        success: true,
        subscriptions: ["all_events"],
        filters: { cid: "x" },
        duration: expect.any(Number),
      },
    });
    expect(await ask({ action: "unsubscribe", notification_types: ["all_events"] })).toMatchObject({
      type: "unsubscription_confirmed",
      notification_types: [],
    });
    expect(await ask({})).toMatchObject({ type: "error", error: "Missing 'action' field" });
    expect(await ask({ action: "fly" })).toMatchObject({ type: "error", error: "Unknown action: fly" });
    expect(await ask("{")).toMatchObject({ type: "error", error: "Invalid JSON message" });
    expect(await ask({ action: "subscribe", notification_types: 7 })).toMatchObject({
      type: "error",
      code: "INVALID_REQUEST",
    });
    expect(await ask({ action: "subscribe", filter: "size >" })).toMatchObject({ code: "INVALID_REQUEST" });
    expect(await ask(JSON.stringify({ action: "ping", fill: "x".repeat(20_000) }))).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
  });

  test("the reply to a request comes before the events that were gathered when it was made", async () => {
    using client = await open();
    await client.next();
    client.send({ action: "subscribe", notification_types: ["content_added"] });
    await client.next();
    client.send({ action: "subscribe", notification_types: ["pin_added"] });
    await new Promise<void>(resolve => {
      const [socket] = server.sockets;
      socket?.prependOnceListener("message", () => {
        added("bafy1");
        notify.emitEvent("pin_added", { cid: "before" });
        resolve();
      });
    });
    expect(await client.next()).toMatchObject({ type: "subscription_confirmed" });
    notify.emitEvent("pin_added", { cid: "after" });
    expect(await client.next()).toMatchObject({ data: { cid: "bafy1" } });
    expect(await client.next()).toMatchObject({ notification_type: "pin_added", data: { cid: "after" } });
  });

  test("filters: equality replaces the old set, an expression is kept until it is taken away", async () => {
    using client = await open();
    await client.next();
    client.send({
      action: "subscribe",
      notification_types: ["content_added"],
      filters: { cid: "a" },
      filter: "size > 10",
      flush_ms: 0,
    });
    await client.next();
    added("a", 5);
    added("b", 50);
    added("a", 50);
    expect(await client.next()).toMatchObject({ data: { cid: "a", size: 50 } });
    client.send({ action: "subscribe", filters: { cid: "b" }, filter: null });
    expect(await client.next()).toMatchObject({ filters: { cid: "b" } });
    added("a", 50);
    added("b", 1);
    expect(await client.next()).toMatchObject({ data: { cid: "b", size: 1 } });
  });

  test("a client that comes back gets exactly what it missed, by its filter", async () => {
    const first = await open();
    await first.next();
    first.send({ action: "subscribe", notification_types: ["content_added"], flush_ms: 0 });
    await first.next();
    added("a");
    const seen = await first.next();
    await first.close();
    notify.emitEvent("pin_added", { cid: "a" });
    added("b");
    added("c");
    using second = await open();
    const welcome = await second.next();
    second.send({
      action: "subscribe",
      notification_types: ["content_added"],
      resume: { epoch: welcome["epoch"], offset: seen["offset"] },
    });
    expect(await second.next()).toMatchObject({ type: "subscription_confirmed", resumed: true, offset: 1 });
    expect(await second.next()).toMatchObject({ data: { cid: "b" } });
    expect(await second.next()).toMatchObject({ data: { cid: "c" } });
    added("d");
    expect(await second.next()).toMatchObject({ data: { cid: "d" } });
  });

  test.each([
    ["another epoch", "other", 0],
    ["a place the log has not reached", undefined, 99],
  ])("resuming at %s is told, and goes on from now", async (_, epoch, offset) => {
    added("a");
    using client = await open();
    await client.next();
    client.send({
      action: "subscribe",
      notification_types: ["content_added"],
      resume: { epoch: epoch ?? notify.events.epoch, offset },
    });
    expect(await client.next()).toMatchObject({ type: "subscription_confirmed", resumed: false });
    expect(await client.next()).toMatchObject({ type: "resync_required", offset: 1 });
    added("b");
    expect(await client.next()).toMatchObject({ data: { cid: "b" } });
  });

  test("history is so many events and so many characters long, the newest ones", async () => {
    using client = await open();
    await client.next();
    for (let n = 0; n < 1200; n += 1) notify.emitEvent("custom_event", { n });
    client.send({ action: "get_history", limit: 5000 });
    const many = (await client.next())["events"] as { data: { n: number } }[];
    expect([many.length, many[0]?.data.n, many.at(-1)?.data.n]).toEqual([1000, 200, 1199]);
    for (let n = 0; n < 40; n += 1) notify.emitEvent("custom_event", { n, text: "x".repeat(60_000) });
    client.send({ action: "get_history", limit: 1000 });
    const large = await client.text();
    expect(large.length).toBeLessThan(MAX_HISTORY_CHARS + 1000);
    expect(JSON.parse(large)).toMatchObject({ count: 17 });
  });

  test("a system notification reaches those who subscribed to nothing", async () => {
    using client = await open();
    await client.next();
    notify.sockets.broadcast("maintenance", { minutes: 5 });
    expect(await client.next()).toMatchObject({
      type: "system_notification",
      message: "maintenance",
      data: { minutes: 5 },
    });
  });

  test("a flood of requests is refused, then the connection closed, and others are unharmed", async () => {
    using flooder = await open();
    using other = await open();
    await other.next();
    for (let i = 0; i < REQUEST_BURST + MAX_REFUSED + 50; i += 1) flooder.send({ action: "ping" });
    expect((await flooder.closed).code).toBe(4029);
    other.send({ action: "ping" });
    expect(await other.next()).toMatchObject({ type: "pong" });
  });

  test("a frame over the carrier's limit closes that connection alone", async () => {
    using large = await open();
    using other = await open();
    await other.next();
    large.send("x".repeat(1024 * 1024 + 1));
    expect((await large.closed).code).toBe(1009);
    other.send({ action: "ping" });
    expect(await other.next()).toMatchObject({ type: "pong" });
  });

  test("text that is not UTF-8 closes that connection alone", async () => {
    using broken = await open();
    using other = await open();
    await other.next();
    broken.ws.send(Buffer.from([0xff, 0xfe, 0xfd]), { binary: false });
    expect((await broken.closed).code).toBe(1007);
    other.send({ action: "ping" });
    expect(await other.next()).toMatchObject({ type: "pong" });
  });

  test("with compression the frames are the same", async () => {
    await using compressed = await serveSockets(
      { "/": notify.notifications },
      { perMessageDeflate: { threshold: 10 } },
    );
    using client = await TestClient.open(compressed.url, { perMessageDeflate: true });
    expect(client.ws.extensions).toContain("permessage-deflate");
    await client.next();
    client.send({ action: "subscribe", notification_types: ["content_added"] });
    await client.next();
    added("a");
    added("b");
    expect(await client.next()).toMatchObject({ data: { cid: "a" } });
    expect(await client.next()).toMatchObject({ data: { cid: "b" } });
  });

  test("a small frame that unpacks to a large one closes that connection alone", async () => {
    await using compressed = await serveSockets({ "/": notify.notifications }, { perMessageDeflate: true });
    using bomb = await TestClient.open(compressed.url, { perMessageDeflate: true });
    using other = await TestClient.open(compressed.url);
    await other.next();
    bomb.send("x".repeat(20 * 1024 * 1024));
    expect((await bomb.closed).code).toBe(1009);
    other.send({ action: "ping" });
    expect(await other.next()).toMatchObject({ type: "pong" });
  });

  test("a principal of a tenant sees its tenant's events alone, whatever it asks for", async () => {
    const tenant: Principal = { ...ownerPrincipal, tenantId: "t1" };
    await using tenants = await serveSockets({ "/": notify.notifications }, { principal: tenant });
    using client = await TestClient.open(tenants.url);
    await client.next();
    client.send({ action: "subscribe", notification_types: ["all_events"], filter: 'tenant == "t2"' });
    await client.next();
    notify.emitEvent("system_info", { message: "secret" }, { tenantId: "t2" });
    client.send({ action: "subscribe", filter: null });
    expect(await client.next()).toMatchObject({ type: "subscription_confirmed" });
    notify.emitEvent("system_info", { message: "nobody's" });
    notify.emitEvent("system_info", { message: "mine" }, { tenantId: "t1" });
    expect(await client.next()).toMatchObject({ data: { message: "mine" } });
    client.send({ action: "get_history" });
    expect(await client.next()).toMatchObject({ type: "history", count: 1 });
  });

  test("one address has so many connections and no more", async () => {
    const few = createNotify({ sockets: { maxConnectionsPerAddress: 1 } })(components);
    await using small = await serveSockets({ "/": few.notifications });
    const one = await TestClient.open(small.url);
    using two = await TestClient.open(small.url);
    expect(await two.closed).toEqual({ code: 4013, reason: "too many connections from this address" });
    await one.close();
    using three = await TestClient.open(small.url);
    expect(await three.next()).toMatchObject({ type: "welcome" });
  });

  test("no text brings the node down, and each frame is answered with one of the protocol", () => {
    const action = fc.constantFrom(
      "subscribe",
      "unsubscribe",
      "get_history",
      "ping",
      "get_info",
      "x",
      3,
      null,
    );
    const value = fc.record({
      action,
      notification_types: fc.jsonValue(),
      filters: fc.jsonValue(),
      resume: fc.jsonValue(),
      limit: fc.jsonValue(),
    });
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      value.map(v => JSON.stringify(v)),
    );
    fc.assert(
      fc.property(text, frame => {
        const sent: string[] = [];
        const connection = notify.notifications.connect({
          principal: ownerPrincipal,
          send: reply => sent.push(reply) > 0,
          bufferedBytes: () => 0,
          close() {},
        });
        void connection.receive(frame);
        void connection.close("done");
        expect(sent.length).toBeGreaterThanOrEqual(2);
        for (const reply of sent) expect(frameSchema.safeParse(JSON.parse(reply)).error).toBeUndefined();
      }),
      { numRuns: 500 },
    );
    expect(notify.notifications.connections).toBe(0);
  });
});
