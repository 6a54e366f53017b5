import type { Clock } from "../../core/index.ts";
import { MAX_BUCKETS } from "../limits.ts";

interface Bucket {
  tokens: number;
  atMs: number;
}

/** How fast one bucket fills, and how much it holds. */
export interface Rate {
  readonly capacity: number;
  readonly perSecond: number;
}

/** Token buckets by key, bounded: when there are too many, the one unused longest is forgotten. */
export class Buckets {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, max = MAX_BUCKETS) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes `amount`; returns 0, or the seconds until there is enough. */
  take(key: string, rate: Rate, amount = 1): number {
    const bucket = this.#fill(key, rate);
    if (bucket.tokens >= amount) {
      bucket.tokens -= amount;
      return 0;
    }
    return Math.max(1, Math.ceil((amount - bucket.tokens) / rate.perSecond));
  }

  /** Seconds until `amount` could be taken; takes nothing. */
  wait(key: string, rate: Rate, amount = 1): number {
    const known = this.#buckets.get(key);
    if (known === undefined) return 0;
    const tokens = this.#fill(key, rate).tokens;
    return tokens >= amount ? 0 : Math.max(1, Math.ceil((amount - tokens) / rate.perSecond));
  }

  #fill(key: string, rate: Rate): Bucket {
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(key) ?? { tokens: rate.capacity, atMs: nowMs };
    bucket.tokens = Math.min(rate.capacity, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * rate.perSecond);
    bucket.atMs = nowMs;
    // Put back at the end: the first key of the map is the one unused longest.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#max) {
      const oldest = this.#buckets.keys().next();
      if (oldest.done !== true) this.#buckets.delete(oldest.value);
    }
    return bucket;
  }
}
