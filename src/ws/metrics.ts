import type { Counter, Metrics } from "../core/index.ts";

export interface WebSocketMetrics {
  readonly opened: Counter;
  readonly closed: Counter;
  readonly refused: Counter;
  readonly messages: Counter;
}

/** Declares what the WebSocket door counts. */
export function webSocketMetrics(metrics: Metrics, open: () => number): WebSocketMetrics {
  metrics.gauge({ name: "cidcast_ws_connections", help: "WebSockets open.", collect: open });
  return {
    opened: metrics.counter({
      name: "cidcast_ws_opened_total",
      help: "WebSockets opened, by path.",
      labelNames: ["path"],
    }),
    closed: metrics.counter({
      name: "cidcast_ws_closed_total",
      help: "WebSockets closed, by who or what ended them.",
      labelNames: ["cause"],
    }),
    refused: metrics.counter({
      name: "cidcast_ws_refused_total",
      help: "Upgrades turned away, by reason.",
      labelNames: ["reason"],
    }),
    messages: metrics.counter({
      name: "cidcast_ws_messages_total",
      help: "Messages, by path and direction.",
      labelNames: ["path", "direction"],
    }),
  };
}
