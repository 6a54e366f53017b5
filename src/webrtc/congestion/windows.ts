/** Sums over the last stretch of time, in equal parts. */
export class SlidingSum {
  readonly #partMs: number;
  readonly #parts: Float64Array;
  #newest = 0;
  #firstMs: number | undefined;

  constructor(windowMs: number, parts: number) {
    this.#partMs = windowMs / parts;
    this.#parts = new Float64Array(parts);
  }

  add(value: number, nowMs: number): void {
    this.#firstMs ??= nowMs;
    const at = this.#advance(nowMs);
    if (this.#newest - at >= this.#parts.length) return;
    const place = at % this.#parts.length;
    this.#parts[place] = (this.#parts[place] ?? 0) + value;
  }

  total(nowMs: number): number {
    this.#advance(nowMs);
    let sum = 0;
    for (const part of this.#parts) sum += part;
    return sum;
  }

  /** Per second, over the window or as much of it as there has been, at least half: the first burst is no rate. */
  perSecond(nowMs: number): number {
    const windowMs = this.#partMs * this.#parts.length;
    const sinceMs = Math.min(windowMs, Math.max(windowMs / 2, nowMs - (this.#firstMs ?? nowMs)));
    return (this.total(nowMs) * 1000) / sinceMs;
  }

  #advance(nowMs: number): number {
    const at = Math.max(0, Math.floor(nowMs / this.#partMs));
    const passed = Math.min(this.#parts.length, at - this.#newest);
    for (let i = 1; i <= passed; i++) this.#parts[(at - passed + i) % this.#parts.length] = 0;
    this.#newest = Math.max(this.#newest, at);
    return at;
  }
}

/** The least value over the last stretch of time, in equal parts. */
export class SlidingMinimum {
  readonly #partMs: number;
  readonly #parts: Float64Array;
  #newest = 0;

  constructor(windowMs: number, parts: number) {
    this.#partMs = windowMs / parts;
    this.#parts = new Float64Array(parts).fill(Number.POSITIVE_INFINITY);
  }

  add(value: number, nowMs: number): void {
    const at = Math.max(0, Math.floor(nowMs / this.#partMs));
    const passed = Math.min(this.#parts.length, at - this.#newest);
    for (let i = 1; i <= passed; i++) {
      this.#parts[(at - passed + i) % this.#parts.length] = Number.POSITIVE_INFINITY;
    }
    this.#newest = Math.max(this.#newest, at);
    const place = at % this.#parts.length;
    this.#parts[place] = Math.min(this.#parts[place] ?? value, value);
  }

  /** Infinity before the first value. */
  get value(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const part of this.#parts) if (part < least) least = part;
    return least;
  }
}

/** Arrivals that a rate is taken from. */
const RECENT = 32;
const LEAST_RECENT = 4;
/** No more than this far back, ms. */
const RECENT_MS = 200;

/** How fast the last packets arrived, by the viewer's clock. */
export class RecentRate {
  readonly #at = new Float64Array(RECENT);
  readonly #bytes = new Float64Array(RECENT);
  #count = 0;

  add(bytes: number, arrivedMs: number): void {
    const place = this.#count % RECENT;
    this.#at[place] = arrivedMs;
    this.#bytes[place] = bytes;
    this.#count++;
  }

  /** Bits per second; undefined when too few have arrived to tell, infinite when they came all at once. */
  get bps(): number | undefined {
    const have = Math.min(this.#count, RECENT);
    if (have < LEAST_RECENT) return undefined;
    let newest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < have; i++) newest = Math.max(newest, this.#at[i] ?? 0);
    let oldest = newest;
    let oldestBytes = 0;
    let bytes = 0;
    let packets = 0;
    for (let i = 0; i < have; i++) {
      const at = this.#at[i] ?? 0;
      if (at < newest - RECENT_MS) continue;
      packets++;
      bytes += this.#bytes[i] ?? 0;
      if (at <= oldest) {
        oldest = at;
        oldestBytes = this.#bytes[i] ?? 0;
      }
    }
    if (packets < LEAST_RECENT) return undefined;
    return ((bytes - oldestBytes) * 8000) / (newest - oldest);
  }
}
