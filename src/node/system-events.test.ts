import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { EventBus, noMetrics, silentLogger, VirtualClock } from "../core/index.ts";
import { createNotify } from "../notify/index.ts";
import type { NodeEvents } from "./shared.ts";
import { countPinning, tellSystemEvents } from "./system-events.ts";

test("the node's figures are told every five seconds, while somebody listens", async () => {
  const clock = new VirtualClock();
  const events = new EventBus<NodeEvents>(silentLogger);
  const notify = createNotify()({ clock, log: silentLogger, metrics: noMetrics });
  const told: unknown[] = [];
  events.on("system_metrics", ({ data }) => told.push(data));
  const status = async () => ({
    ipfs_online: true,
    peers_connected: 2,
    pins_in_progress: 0,
    system_info: { cpu_usage: 12.5 },
  });
  const service = tellSystemEvents({
    events,
    notify,
    clock,
    status,
    log: silentLogger,
    webrtc: undefined,
    peers: () => 2,
  });
  clock.advance(20_000);
  await setImmediate();
  expect(told).toEqual([]);
  const socket = { send: () => true, bufferedBytes: () => 0, close() {} };
  const principal = { kind: "local", id: "test", door: "ws", scopes: new Set<string>() } as const;
  const connection = notify.notifications.connect({ ...socket, principal });
  clock.advance(10_000);
  await setImmediate();
  expect(told).toEqual(
    Array.from({ length: 2 }, () => ({
      ipfs_online: true,
      peers_connected: 2,
      pins_in_progress: 0,
      cpu_usage: 12.5,
    })),
  );
  await connection.close("done");
  await service.stop();
  clock.advance(10_000);
  await setImmediate();
  expect(told).toHaveLength(2);
  await notify.stop();
});

test("pins are in progress from their first block to their last, or to their failure", () => {
  const events = new EventBus<NodeEvents>(silentLogger);
  const pinning = countPinning(events);
  const publish = (cid: string, status: NodeEvents["pin_status_changed"]["status"]): void =>
    events.publish("pin_status_changed", { cid, status });
  publish("a", "pinning");
  publish("a", "pinning");
  publish("b", "pinning");
  expect(pinning()).toBe(2);
  publish("a", "pinned");
  publish("b", "failed");
  publish("b", "unpinned");
  expect(pinning()).toBe(1);
  publish("a", "failed");
  expect(pinning()).toBe(0);
});
