import { connect } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { serveSockets, type SocketServer, TestClient } from "../../../test/sockets/socket-server.ts";
import { noMetrics, silentLogger, VirtualClock } from "../../core/index.ts";
import { HIGH_WATER_BYTES, PAGE_BYTES, PAGES_PER_TURN, STALL_MS } from "../limits.ts";
import { createNotify, type Notify } from "../notify.ts";

const clock = new VirtualClock(1_000_000);
let notify: Notify;
let server: SocketServer;
beforeEach(async () => {
  notify = createNotify()({ clock, log: silentLogger, metrics: noMetrics });
  server = await serveSockets({ "/": notify.notifications });
});
afterEach(async () => {
  await notify.stop();
  await server[Symbol.asyncDispose]();
});

test("a subscriber that never reads costs a bounded buffer, then its connection; the others hear everything", async () => {
  const deaf = connect(Number(new URL(server.url).port), "127.0.0.1");
  deaf.write(
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  await once(deaf, "readable");
  const subscribe = '{"action":"subscribe","notification_types":["all_events"]}';
  deaf.write(
    Buffer.concat([Buffer.from([0x81, 0x80 | subscribe.length, 0, 0, 0, 0]), Buffer.from(subscribe)]),
  );
  using other = await TestClient.open(server.url);
  await other.next();
  other.send(subscribe);
  await other.next();
  while (notify.notifications.connections < 2) await new Promise(setImmediate);

  const payload = "x".repeat(10_000);
  let heard = 0;
  let worst = 0;
  for (let n = 0; n < 3000; n += 1) {
    notify.emitEvent("custom_event", { n, payload });
    if (n % 20 !== 19) continue;
    clock.advance(20);
    for (; heard <= n; heard += 1) expect((await other.next())["data"]).toMatchObject({ n: heard });
    for (const socket of server.sockets) worst = Math.max(worst, socket.bufferedAmount);
  }
  // 30 MB went by: what waited was one high-water mark and one turn's pages.
  expect(worst).toBeGreaterThan(HIGH_WATER_BYTES);
  expect(worst).toBeLessThan(HIGH_WATER_BYTES + PAGES_PER_TURN * PAGE_BYTES * 2);
  for (let ms = 0; ms < STALL_MS + 2000; ms += 1000) clock.advance(1000);
  expect(notify.notifications.connections).toBe(1);
  deaf.destroy();
});
