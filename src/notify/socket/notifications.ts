import { NOTIFICATION_TYPES } from "@cidcast/protocols/notifications";
import { textFrame } from "../fanout/index.ts";
import { notifyMetrics } from "../metrics.ts";
import { type SocketConnection, type SocketHandler, tenantAudience } from "../types.ts";
import { NotificationConnection } from "./connection.ts";
import { createPlaces, type PlacesInit } from "./places.ts";
import type { NotificationComponents, NotificationShared } from "./shared.ts";

export interface NotificationInit extends PlacesInit {
  /** Time between two heartbeats, milliseconds; 0: none. */
  readonly heartbeatMs?: number;
}

/** `/ws/notifications` and the same over other carriers. */
export interface NotificationHandler extends SocketHandler, Disposable {
  /** Tells every connection, whatever it subscribed to. */
  broadcast(message: string, data?: Readonly<Record<string, unknown>>): void;
  readonly connections: number;
  close(): void;
}

/** Without the node's own word, a connection behind a proxy is cut as idle after about a minute. */
const HEARTBEAT_MS = 30_000;
/** RFC 6455, 7.4.1: the node goes away. */
const GOING_AWAY = 1001;

/** Serves the notification protocol. */
export function createNotificationHandler(
  init: NotificationInit = {},
): (components: NotificationComponents) => NotificationHandler {
  return given => {
    const components = { audience: tenantAudience, ...given };
    const { clock, events } = components;
    const counters = notifyMetrics(components.metrics);
    const places = createPlaces(init);
    const connections = new Set<NotificationConnection>();
    let total = 0;
    const shared: NotificationShared = {
      ...components,
      counters,
      subscriptions: new Map(),
      totals: () => ({ total, active: connections.size }),
    };

    const stamp = (fields: Readonly<Record<string, unknown>>): string =>
      JSON.stringify({
        timestamp: clock.now() / 1000,
        epoch: events.epoch,
        offset: events.nextOffset - 1,
        ...fields,
      });
    const broadcast = (message: string, data: Readonly<Record<string, unknown>> = {}): void => {
      const text = stamp({ type: "system_notification", message, data });
      const frame = textFrame(text);
      for (const connection of connections) connection.tell(text, frame);
    };
    const heartbeatMs = init.heartbeatMs ?? HEARTBEAT_MS;
    const stopHeartbeat =
      heartbeatMs === 0
        ? () => {}
        : clock.every(heartbeatMs, () => {
            for (const connection of connections)
              connection.heartbeat(now => stamp({ type: "heartbeat", ...now }));
          });
    const stopEpoch = events.onEpoch(phase => {
      if (phase === "after")
        broadcast("The event log was started anew: positions of before mean nothing now");
    });

    const close = (): void => {
      stopHeartbeat();
      stopEpoch();
      for (const connection of connections) connection.end(GOING_AWAY, "the node is stopping");
    };
    return {
      connect(socket) {
        const release = places.take(socket);
        if (release === undefined) {
          counters.refused.add(1, { reason: "connections" });
          return closedConnection;
        }
        total += 1;
        const connection = new NotificationConnection(socket, shared, total, () => {
          release();
          connections.delete(connection);
          counters.connections.set(connections.size);
        });
        connections.add(connection);
        counters.connections.set(connections.size);
        connection.greet(NOTIFICATION_TYPES);
        return connection;
      },
      broadcast,
      get connections() {
        return connections.size;
      },
      close,
      [Symbol.dispose]: close,
    };
  };
}

/** A connection that was refused. */
const closedConnection: SocketConnection = { receive() {}, close() {} };
