import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  type Metric,
  Registry,
} from "prom-client";
import { CidcastError, type Labels, type MetricInit, type Metrics } from "../core/index.ts";

/** Most combinations of label values of one metric: one more is a label that should not be one. */
export const MAX_SERIES_PER_METRIC = 500;
/** What label values become once a metric is at {@link MAX_SERIES_PER_METRIC}. */
const OTHER_LABEL = "other";

export interface MetricsInit {
  /** Also the process's own figures (CPU, memory, event loop delay, heap, GC); default true. */
  readonly processMetrics?: boolean;
}

/** The registry of a node. */
export interface MetricsHandle {
  readonly metrics: Metrics;
  /** Everything in Prometheus' text format. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** Lets go of the process's observers. */
  close(): void;
}

/** Metrics behind core's interface, in a registry of their own: several nodes in one process do not mix. */
export function createMetrics(init: MetricsInit = {}): MetricsHandle {
  const registry = new Registry();
  if (init.processMetrics ?? true) collectDefaultMetrics({ register: registry });
  const updates: (() => Promise<void>)[] = [];
  const metrics: Metrics = {
    counter(metric) {
      const target = declare(registry, metric, PromCounter, () => new PromCounter(options(registry, metric)));
      const bounded = boundLabels(metric);
      return { add: (value = 1, labels) => target.inc(bounded(labels), value) };
    },
    gauge(metric) {
      const { collect } = metric;
      const target = declare(
        registry,
        metric,
        PromGauge,
        () =>
          new PromGauge({
            ...options(registry, metric),
            ...(collect && {
              collect(this: PromGauge) {
                this.set(collect());
              },
            }),
          }),
      );
      const bounded = boundLabels(metric);
      return { set: (value, labels) => target.set(bounded(labels), value) };
    },
    histogram(metric) {
      const target = declare(
        registry,
        metric,
        PromHistogram,
        () =>
          new PromHistogram({
            ...options(registry, metric),
            ...(metric.buckets && { buckets: [...metric.buckets] }),
          }),
      );
      const bounded = boundLabels(metric);
      return { observe: (value, labels) => target.observe(bounded(labels), value) };
    },
    beforeScrape: update => void updates.push(update),
  };
  return {
    metrics,
    async render() {
      await Promise.all(updates.map(update => update()));
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
    close: () => registry.clear(),
  };
}

function options(registry: Registry, metric: MetricInit) {
  return {
    name: metric.name,
    help: metric.help,
    labelNames: [...(metric.labelNames ?? [])],
    registers: [registry],
  };
}

function declare<T extends Metric>(
  registry: Registry,
  metric: MetricInit,
  kind: abstract new (...args: never[]) => T,
  make: () => T,
): T {
  const known = registry.getSingleMetric(metric.name);
  if (known === undefined) return make();
  if (known instanceof kind) return known;
  throw new CidcastError("INTERNAL", `metric ${metric.name} is already declared as something else`);
}

/** Keeps the number of series bounded: what comes after the limit is counted under {@link OTHER_LABEL}. */
function boundLabels(metric: MetricInit): (labels: Labels | undefined) => Record<string, string> {
  const names = metric.labelNames ?? [];
  const seen = new Set<string>();
  return labels => {
    if (labels === undefined) return {};
    const key = names.map(name => labels[name] ?? "").join("\u0000");
    if (seen.has(key)) return { ...labels };
    if (seen.size >= MAX_SERIES_PER_METRIC) {
      return Object.fromEntries(names.map(name => [name, OTHER_LABEL]));
    }
    seen.add(key);
    return { ...labels };
  };
}
