export { createLogger, type LevelledLogger, type LoggerInit, type LogLevel } from "./logger.ts";
export { createMetrics, type MetricsHandle, type MetricsInit } from "./metrics.ts";
