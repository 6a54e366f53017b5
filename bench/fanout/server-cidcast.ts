// The node's event log and notification sockets, driven by lines on standard input.
import { noMetrics, silentLogger, systemClock } from "../../src/core/index.ts";
import { createNotify } from "../../src/notify/index.ts";
import { serveSockets } from "../../test/sockets/socket-server.ts";
import { control } from "./control.ts";

const limits = { maxConnections: 20_000, maxConnectionsPerAddress: 20_000, heartbeatMs: 0 };
const notify = createNotify({ sockets: limits })({
  clock: systemClock,
  log: silentLogger,
  metrics: noMetrics,
});
const server = await serveSockets({ "/": notify.notifications });
control(server.url, pad => {
  notify.emitEvent("custom_event", { t: performance.timeOrigin + performance.now(), pad });
});
