import type { Counter, Gauge, Metrics } from "../core/index.ts";

export interface RoomMetrics {
  readonly rooms: Gauge;
  readonly connections: Gauge;
  readonly messages: Counter;
  readonly refused: Counter;
  readonly expired: Counter;
}

/** The metrics of this domain. */
export function roomMetrics(metrics: Metrics): RoomMetrics {
  return {
    rooms: metrics.gauge({ name: "cidcast_rooms", help: "Rooms with somebody in them." }),
    connections: metrics.gauge({ name: "cidcast_rooms_connections", help: "Open connections to the rooms." }),
    messages: metrics.counter({
      name: "cidcast_rooms_messages_total",
      help: "Messages taken from members, by door.",
      labelNames: ["door"],
    }),
    refused: metrics.counter({
      name: "cidcast_rooms_refused_total",
      help: "Connections, joins and messages refused, by limit.",
      labelNames: ["reason"],
    }),
    expired: metrics.counter({
      name: "cidcast_rooms_expired_total",
      help: "Members and rooms ended because nothing happened, by kind.",
      labelNames: ["kind"],
    }),
  };
}
