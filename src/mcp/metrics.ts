import type { Counter, Histogram, Metrics } from "../core/index.ts";

export interface McpMetrics {
  /** Tool calls by outcome: `ok`, `failed`, `refused`. */
  readonly calls: Counter;
  readonly callSeconds: Histogram;
  /** Messages and connections refused by a limit of the doors. */
  readonly limitHits: Counter;
}

export function mcpMetrics(metrics: Metrics): McpMetrics {
  return {
    calls: metrics.counter({
      name: "cidcast_mcp_tool_calls_total",
      help: "Tool calls by outcome",
      labelNames: ["outcome"],
    }),
    callSeconds: metrics.histogram({
      name: "cidcast_mcp_tool_call_seconds",
      help: "How long tool calls take",
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60],
    }),
    limitHits: metrics.counter({
      name: "cidcast_mcp_limit_hits_total",
      help: "Messages and connections refused by a limit",
      labelNames: ["limit"],
    }),
  };
}
