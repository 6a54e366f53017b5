import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import {
  EventBus,
  noMetrics,
  ownerPrincipal,
  scopeAuthoriser,
  silentLogger,
  systemClock,
} from "../../../src/core/index.ts";
import type { ContentEvents } from "../../../src/content/index.ts";
import type { MediaEvents } from "../../../src/media/index.ts";
import { createNotify, joinNodeEvents, mountRoutes } from "../../../src/notify/index.ts";
import { createRoomsService } from "../../../src/rooms/index.ts";
import type { WebRTCEvents } from "../../../src/webrtc/index.ts";
import { createWebSocketRouter } from "../../../src/ws/index.ts";
import { TestClient } from "../../sockets/socket-server.ts";

test("the node's own WebSocket router serves notifications and rooms, and its events arrive", async () => {
  const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };
  const notify = createNotify()(components);
  const rooms = createRoomsService()(components);
  const bus = new EventBus<ContentEvents & MediaEvents & WebRTCEvents>(silentLogger);
  const off = joinNodeEvents(bus, {
    events: notify.events,
    log: silentLogger,
    table: { webrtc_connected: { type: "webrtc_connected" } },
  });
  const server = createServer();
  const router = createWebSocketRouter({})({
    ...components,
    server,
    admit: () => ownerPrincipal,
    authoriser: scopeAuthoriser,
  });
  for (const route of mountRoutes([...notify.sockets.routes(), ...rooms.routes])) router.handle(route);
  await router.start();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // The address of a TCP server is an object.
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;

  using client = await TestClient.open(`${url}/ws/notifications`);
  await client.next();
  client.send({ action: "subscribe", notification_types: ["webrtc_connected"] });
  await client.next();
  bus.publish("webrtc_connected", { pc_id: "p", cid: "c" });
  expect(await client.next()).toMatchObject({
    notification_type: "webrtc_connected",
    data: { pc_id: "p", cid: "c" },
  });
  for (const path of ["/ws/signal/?room=r", "/ws/signal?room=r"]) {
    using member = await TestClient.open(url + path);
    member.send("{}");
    expect(await member.text()).toBe('{"error":"Unsupported message type"}');
  }
  off();
  await router.stop();
  await rooms.stop();
  await notify.stop();
  server.close();
});
