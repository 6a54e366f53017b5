/** How long to wait before the next attempt. */
export interface BackoffInit {
  /** Wait after the first failure, ms. */
  readonly firstMs: number;
  /** Longest wait, ms. */
  readonly maxMs: number;
  /** Growth from one wait to the next. */
  readonly factor: number;
  /** Share of each wait that is random, 0 to 1, so that many clients do not come back at once. */
  readonly jitter: number;
  /** Attempts after which {@link Backoff.next} gives up. */
  readonly maxAttempts: number;
  /** Source of randomness in [0, 1); default `Math.random`. */
  readonly random?: () => number;
}

/** Counts failed attempts and says how long to wait before the next. */
export interface Backoff {
  /** Failures since the last reset. */
  readonly attempts: number;
  /** Wait before the next attempt, ms; undefined when the attempts are used up. */
  next(): number | undefined;
  /** Forgets the failures: the last attempt succeeded. */
  reset(): void;
}

export function createBackoff(init: BackoffInit): Backoff {
  const random = init.random ?? Math.random;
  let attempts = 0;
  return {
    get attempts() {
      return attempts;
    },
    next() {
      if (attempts >= init.maxAttempts) return undefined;
      const full = Math.min(init.maxMs, init.firstMs * init.factor ** attempts);
      attempts += 1;
      return Math.round(full * (1 - init.jitter * random()));
    },
    reset() {
      attempts = 0;
    },
  };
}
