export { type AbortOptions, anySignal, raceSignal, withTimeout } from "./abort.ts";
export { type BackoffInit, backoffMs } from "./backoff.ts";
export { type Cancel, type Clock, systemClock } from "./clock.ts";
export {
  CidcastError,
  type ErrorInit,
  isAbortError,
  isCidcastError,
  messageOf,
  toCidcastError,
} from "./errors.ts";
export {
  EventBus,
  type EventContext,
  type EventPublisher,
  type PublishedEvent,
  type Unsubscribe,
} from "./events.ts";
export { type CloseReason, type Service, STOP_BUDGET_MS, startAll, stopAll } from "./lifecycle.ts";
export { type LogFields, type Logger, silentLogger } from "./logger.ts";
export {
  type Counter,
  type Gauge,
  type Histogram,
  type Labels,
  type MetricInit,
  type Metrics,
  noMetrics,
} from "./metrics.ts";
export {
  type Action,
  type Authoriser,
  type Capability,
  type Door,
  ownerPrincipal,
  type Principal,
  type Resource,
  scopeAuthoriser,
} from "./principal.ts";
export { SingleFlight } from "./single-flight.ts";
export type { Span, SpanAttributes, SpanInit, Tracer } from "./tracing.ts";
export { VirtualClock } from "./virtual-clock.ts";
