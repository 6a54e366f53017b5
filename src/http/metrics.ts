import type { Counter, Histogram, Metrics } from "../core/index.ts";

export interface HttpMetrics {
  readonly requests: Counter;
  readonly requestSeconds: Histogram;
  readonly refused: Counter;
  readonly contentSent: Counter;
  readonly contentReceived: Counter;
}

/** Declares what the HTTP door counts. */
export function httpMetrics(metrics: Metrics, inFlight: () => number): HttpMetrics {
  metrics.gauge({
    name: "cidcast_http_requests_in_flight",
    help: "Requests being answered.",
    collect: inFlight,
  });
  return {
    requests: metrics.counter({
      name: "cidcast_http_requests_total",
      help: "Requests answered, by route pattern and status.",
      labelNames: ["method", "route", "status"],
    }),
    requestSeconds: metrics.histogram({
      name: "cidcast_http_request_seconds",
      help: "Time from a request's headers to the end of its answer, seconds.",
      labelNames: ["route"],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    }),
    refused: metrics.counter({
      name: "cidcast_http_refused_total",
      help: "Requests turned away before any handler, by reason.",
      labelNames: ["reason"],
    }),
    contentSent: metrics.counter({
      name: "cidcast_http_content_sent_bytes_total",
      help: "Bytes of content sent by the gateway.",
    }),
    contentReceived: metrics.counter({
      name: "cidcast_http_content_received_bytes_total",
      help: "Bytes of content uploaded.",
    }),
  };
}
