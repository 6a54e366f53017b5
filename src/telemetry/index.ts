export { createLogger, type LevelledLogger, type LoggerInit, type LogLevel } from "./logger.ts";
export { createTrafficMeter, type Traffic, type TrafficMeter } from "./traffic.ts";
export { createTracing, type Tracing, type TracingInit } from "./tracing.ts";
export { createMetrics, type MetricsHandle, type MetricsInit } from "./metrics.ts";
