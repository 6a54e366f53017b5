import type { Clock } from "../../core/index.ts";

/** Time over which a rate is taken, milliseconds. */
const WINDOW_MS = 5000;
/** Parts of that time that are counted together. */
const SLOT_MS = 250;

/** Bytes per second over the last seconds. */
export class Rate {
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #slots: { readonly atMs: number; bytes: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
  }

  add(bytes: number): void {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#slots.at(-1);
    if (last !== undefined && nowMs - last.atMs < SLOT_MS) last.bytes += bytes;
    else this.#slots.push({ atMs: nowMs, bytes });
    while ((this.#slots[0]?.atMs ?? nowMs) < nowMs - WINDOW_MS) this.#slots.shift();
  }

  perSecond(): number {
    const nowMs = this.#clock.monotonicMs();
    const since = Math.max(this.#startedMs, nowMs - WINDOW_MS);
    const bytes = this.#slots.reduce((sum, slot) => (slot.atMs >= since ? sum + slot.bytes : sum), 0);
    return nowMs > since ? (bytes * 1000) / Math.max(SLOT_MS, nowMs - since) : 0;
  }
}
