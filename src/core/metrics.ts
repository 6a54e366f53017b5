/** Values of a metric's labels. Bounded sets only: never a CID, peer or session. */
export type Labels = Readonly<Record<string, string>>;

/** A number that only grows. */
export interface Counter {
  add(value?: number, labels?: Labels): void;
}

/** A number that goes up and down. */
export interface Gauge {
  set(value: number, labels?: Labels): void;
}

/** A distribution. */
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** What a metric is called and means. */
export interface MetricInit {
  /** Prometheus name with its unit, for instance `cidcast_blocks_read_bytes_total`. */
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  /** Histograms only: upper bounds, in the unit of the name. */
  readonly buckets?: readonly number[];
}

/** Where a domain declares its metrics, in its own `metrics.ts`. Declaring a name twice gives the same metric. */
export interface Metrics {
  counter(init: MetricInit): Counter;
  /** A gauge; with `collect`, it is asked for its value at each scrape. */
  gauge(init: MetricInit & { readonly collect?: () => number }): Gauge;
  histogram(init: MetricInit): Histogram;
  /** Brings metrics up to date that are counted elsewhere: each scrape waits for it. Not to reject. */
  beforeScrape(update: () => Promise<void>): void;
}

/** Metrics that are kept nowhere. */
export const noMetrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge: () => ({ set() {} }),
  histogram: () => ({ observe() {} }),
  beforeScrape: () => undefined,
};
