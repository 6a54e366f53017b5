import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EventBus, noMetrics, ownerPrincipal, silentLogger, systemClock } from "../../core/index.ts";
import { MAX_ROUTES } from "../manager.ts";
import { joinNodeEvents, type Translation } from "../node-events.ts";
import { createNotify, type Notify } from "../notify.ts";
import { createGeneralHandler, createStatusHandler } from "../socket/index.ts";
import { webhookSignature } from "./webhooks.ts";
import { MAX_WEBHOOKS } from "../limits.ts";

const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };

describe("the doors of the log", () => {
  let notify: Notify;
  beforeEach(() => {
    notify = createNotify()(components);
  });
  afterEach(() => notify.stop());

  test("server-sent events resume with the id of the last one, also one that came over a WebSocket", async () => {
    notify.emitEvent("pin_added", { cid: "a" });
    notify.emitEvent("pin_removed", { cid: "a" });
    notify.emitEvent("pin_added", { cid: "b" });
    const { epoch } = notify.events;
    const stream = notify.sse(ownerPrincipal, { types: ["pin_added"], lastEventId: `${epoch}:1` });
    expect((await stream.next()).value).toMatch(new RegExp(`^event: welcome\nid: ${epoch}:1\ndata: .*\n\n$`));
    const value = String((await stream.next()).value);
    expect(value.match(/^id: .*$/gm)).toEqual([`id: ${epoch}:3`]);
    expect(value).toContain('"cid":"b"');
    const next = stream.next();
    notify.emitEvent("pin_added", { cid: "c" });
    expect((await next).value).toContain(`id: ${epoch}:4`);
    await stream.return();
  });

  test.each(["nonsense", "other:0", "other:999999999999999999"])(
    "server-sent events say when they cannot go on after %s",
    async lastEventId => {
      const stream = notify.sse(ownerPrincipal, { lastEventId });
      expect((await stream.next()).value).toMatch(/^event: resync_required\n/);
      const next = stream.next();
      notify.emitEvent("pin_added", { cid: "c" });
      expect((await next).value).toContain("pin_added");
      await stream.return();
    },
  );

  test("a filter that cannot be read is refused before the stream begins", () => {
    expect(() => notify.sse(ownerPrincipal, { filter: "(" })).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST" }),
    );
  });

  test("webhooks get events signed, again with the same key after a failure, and in order", async () => {
    const requests: { readonly request: IncomingMessage; readonly body: string }[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", chunk => (body += String(chunk)));
      request.on("end", () => answer(request, response, body));
    });
    const answer = (request: IncomingMessage, response: ServerResponse, body: string): void => {
      requests.push({ request, body });
      response.statusCode = requests.length === 1 ? 503 : 204;
      response.end();
      if (requests.length === 3) server.emit("third");
    };
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const third = once(server, "third");
    const end = notify.webhooks.add({
      url: `http://127.0.0.1:${port}/hook`,
      secret: "s3cret",
      selection: notify.select(ownerPrincipal, { types: ["pin_added"] }),
    });
    notify.emitEvent("pin_added", { cid: "a" });
    await once(server, "request");
    notify.emitEvent("pin_added", { cid: "b" });
    await third;
    await end();
    server.close();
    const bodies = requests.map(
      ({ body }) => JSON.parse(body) as { id: string; events: { data: { cid: string } }[] },
    );
    expect(bodies.map(body => body.events.map(event => event.data.cid))).toEqual([["a"], ["a"], ["b"]]);
    const [first, again] = requests;
    expect(again?.request.headers["idempotency-key"]).toBe(first?.request.headers["idempotency-key"]);
    const signature = String(again?.request.headers["cidcast-signature"]);
    expect(signature).toBe(
      webhookSignature("s3cret", Number(/t=(\d+)/.exec(signature)?.[1]), again?.body ?? ""),
    );
  });

  test("there are so many webhooks, with a URL that can be asked", () => {
    const selection = notify.select(ownerPrincipal, {});
    const add = (url: string) => notify.webhooks.add({ url, secret: "s", selection });
    expect(() => add("file:///etc/passwd")).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
    expect(() => add("nonsense")).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
    for (let n = 0; n < MAX_WEBHOOKS; n += 1) add("http://127.0.0.1:1/");
    expect(() => add("http://127.0.0.1:1/")).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
  });

  const socket = (sent: Record<string, unknown>[]) => ({
    principal: ownerPrincipal,
    send: (text: string) => sent.push(JSON.parse(text) as Record<string, unknown>) > 0,
    bufferedBytes: () => 0,
    close() {},
  });
  const status = async () => ({
    ipfs_online: true,
    peers_connected: 2,
    pins_in_progress: 0,
    system_info: { cpu_usage: 1 },
  });

  test("/ws/status greets, tells the status, and follows it", async () => {
    const sent: Record<string, unknown>[] = [];
    const handler = createStatusHandler({ notifications: notify.notifications, status, clock: systemClock });
    const connection = handler.connect(socket(sent));
    await connection.receive('{"action":"get_status"}');
    await connection.receive('{"action":"ping"}');
    expect(sent.map(frame => frame["type"])).toEqual([
      "welcome",
      "initial_status",
      "subscription_confirmed",
      "status_update",
      "pong",
    ]);
    expect(sent[1]).toMatchObject({ ipfs_online: true, peers_connected: 2, timestamp: expect.any(Number) });
    await connection.close("done");
  });

  test("/ws takes notifications, status and signalling by the shape of each frame", async () => {
    const sent: Record<string, unknown>[] = [];
    const heard: string[] = [];
    const signalling = {
      connect: (init: { greeting: string }) => ({
        receive: async (text: string) => void heard.push(`${init.greeting} ${text}`),
        close: async (reason: string) => void heard.push(`closed ${reason}`),
      }),
    };
    const handler = createGeneralHandler({
      notifications: notify.notifications,
      status,
      clock: systemClock,
      signalling,
    });
    const connection = handler.connect(socket(sent));
    await connection.receive('{"action":"ping"}');
    await connection.receive('{"action":"get_status"}');
    await connection.receive('{"type":"offer_request","cid":"x"}');
    await connection.receive("nonsense");
    await connection.close("done");
    expect(sent.map(frame => frame["type"])).toEqual(["welcome", "pong", "status_update", "error"]);
    expect(heard).toEqual(['silent {"type":"offer_request","cid":"x"}', "closed done"]);
    const without = createGeneralHandler({ notifications: notify.notifications, status, clock: systemClock });
    await without.connect(socket(sent)).receive('{"type":"offer_request"}');
    expect(sent.at(-1)).toMatchObject({ type: "error", message: expect.stringContaining("switched off") });
  });

  test("events of the node's bus become notifications, and one that does not fit is not sent", () => {
    interface Events {
      content_added: { cid: string; name: string | undefined; size: number; contentType: string };
      peer_disconnected: { peerId: string };
      peer_connected: { peerId: string; address: string; direction: "inbound" | "outbound" };
      transcode_failed: { cid: string; trackId: string; message: string };
      pin_progress: { cid: string; blocks: number; bytes: number };
      internal: { x: number };
    }
    const bus = new EventBus<Events>(silentLogger);
    const table: Readonly<Record<string, Translation>> = {
      content_added: { type: "content_added" },
      peer_connected: { type: "peer_connected" },
      peer_disconnected: { type: "peer_disconnected" },
      pin_progress: { type: "pin_progress", latestBy: "cid" },
      transcode_failed: {
        type: "system_error",
        data: ({ message, trackId }) => ({ code: "TRANSCODE_FAILED", message, track_id: trackId }),
      },
    };
    const off = joinNodeEvents(bus, { events: notify.events, log: silentLogger, table });
    bus.publish("content_added", { cid: "a", name: undefined, size: 3, contentType: "video/mp4" });
    bus.publish("peer_connected", { peerId: "p", address: "/ip4", direction: "inbound" });
    bus.publish("transcode_failed", { cid: "a", trackId: "1", message: "no" });
    bus.publish("pin_progress", { cid: "a", blocks: 1, bytes: 2 });
    bus.publish("pin_progress", { cid: "a", blocks: -1, bytes: 2 });
    bus.publish("peer_disconnected", { peerId: "p" }, { tenantId: "t1" });
    bus.publish("internal", { x: 1 });
    off();
    bus.publish("internal", { x: 1 });
    expect(notify.events.recent(10, () => true)).toMatchObject([
      { topic: "content_added", data: { cid: "a", size: 3, content_type: "video/mp4" } },
      { topic: "peer_connected", data: { peer_id: "p", address: "/ip4", direction: "inbound" } },
      { topic: "system_error", data: { code: "TRANSCODE_FAILED", message: "no", track_id: "1" } },
      { topic: "pin_progress", data: { blocks: 1 }, latestKey: '"a"' },
      { topic: "peer_disconnected", data: { peer_id: "p" }, tenantId: "t1" },
    ]);
    expect(notify.events.recent(10, event => event.tenantId !== undefined)).toHaveLength(1);
  });

  test("an event of an unknown type or with data that does not fit is refused", () => {
    // @ts-expect-error the compiler refuses it too
    expect(() => notify.emitEvent("nothing", {})).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST" }),
    );
    // @ts-expect-error the compiler refuses it too
    expect(() => notify.emitEvent("pin_added", { cid: 7 })).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST" }),
    );
  });

  test("routes are found with and without a slash at their end, and taken once", () => {
    const handler = notify.notifications;
    const remove = notify.sockets.registerRoute({ path: "/ws/mine/", action: "events:subscribe", handler });
    expect(notify.sockets.route("/ws/mine")?.handler).toBe(handler);
    expect(() =>
      notify.sockets.registerRoute({ path: "/ws/mine", action: "events:subscribe", handler }),
    ).toThrow(expect.objectContaining({ code: "CONFLICT" }));
    remove();
    expect(notify.sockets.route("/ws/mine/")).toBeUndefined();
    for (let n = notify.sockets.routes().length; n < MAX_ROUTES; n += 1) {
      notify.sockets.registerRoute({ path: `/ws/${n}`, action: "events:subscribe", handler });
    }
    expect(() =>
      notify.sockets.registerRoute({ path: "/more", action: "events:subscribe", handler }),
    ).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
    expect(notify.sockets.routes().map(route => route.path)).toContain("/ws/notifications");
  });
});
