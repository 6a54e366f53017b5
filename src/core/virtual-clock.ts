import type { Cancel, Clock } from "./clock.ts";

interface Entry {
  atMs: number;
  readonly order: number;
  readonly everyMs: number | undefined;
  readonly fn: () => void;
}

/** A clock that moves only when told to: for tests of controllers and for replaying traces. */
export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #entries = new Set<Entry>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Cancel {
    return this.#schedule(delayMs, undefined, fn);
  }

  every(intervalMs: number, fn: () => void): Cancel {
    return this.#schedule(intervalMs, intervalMs, fn);
  }

  /** Moves time on by `ms`, running what falls due in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.everyMs === undefined) this.#entries.delete(next);
      else next.atMs += next.everyMs;
      next.fn();
    }
    this.#nowMs = untilMs;
  }

  #next(untilMs: number): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.#entries) {
      if (entry.atMs > untilMs) continue;
      if (
        first === undefined ||
        entry.atMs < first.atMs ||
        (entry.atMs === first.atMs && entry.order < first.order)
      ) {
        first = entry;
      }
    }
    return first;
  }

  #schedule(delayMs: number, everyMs: number | undefined, fn: () => void): Cancel {
    const entry: Entry = { atMs: this.#nowMs + delayMs, order: this.#order++, everyMs, fn };
    this.#entries.add(entry);
    return () => {
      this.#entries.delete(entry);
    };
  }
}
