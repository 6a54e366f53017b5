import type { Counter, Gauge, Metrics } from "../core/index.ts";

export interface NotifyMetrics {
  readonly emitted: Counter;
  readonly deliveries: Counter;
  readonly connections: Gauge;
  readonly dropped: Counter;
  readonly disconnected: Counter;
  readonly refused: Counter;
  readonly resumed: Counter;
  readonly storeErrors: Counter;
  readonly webhookRequests: Counter;
}

/** The metrics of this domain. */
export function notifyMetrics(metrics: Metrics): NotifyMetrics {
  const counter = (name: string, help: string, ...labelNames: string[]): Counter =>
    metrics.counter({ name: `cidcast_notify_${name}_total`, help, labelNames });
  return {
    emitted: counter("events", "Events written to the log."),
    deliveries: counter("deliveries", "Events handed to subscribers."),
    connections: metrics.gauge({
      name: "cidcast_notify_connections",
      help: "Open notification connections.",
    }),
    dropped: counter("dropped", "Times that a subscriber lost events because it read too slowly."),
    disconnected: counter("disconnected", "Subscribers disconnected by the node, by reason.", "reason"),
    refused: counter("refused", "Requests and connections refused, by limit.", "reason"),
    resumed: counter("resumes", "Resumptions asked for, by result.", "result"),
    storeErrors: counter(
      "store_errors",
      "Times that the log on disk failed and a new epoch began in memory.",
    ),
    webhookRequests: counter("webhook_requests", "Requests to webhooks, by result.", "result"),
  };
}
