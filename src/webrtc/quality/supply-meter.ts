/** How much of the newest answer counts. */
const SMOOTHING = 0.4;
/** An answer that takes less time than this was here already, ms: it says nothing of how more would come. */
const HERE_MS = 25;
/** Largest factor told: beyond, supply is no question. */
const PLENTY = 100;
const MAX_WAITING = 8;

/** How fast content comes: seconds of media per second that it is waited for. */
export class SupplyMeter {
  readonly #askedMs = new Map<number, number>();
  #factor: number | undefined;

  /** Undefined before anything had to be waited for. */
  get factor(): number | undefined {
    return this.#factor;
  }

  onAsked(ticket: number, nowMs: number): void {
    if (this.#askedMs.size >= MAX_WAITING) this.#askedMs.delete(this.#askedMs.keys().next().value ?? 0);
    this.#askedMs.set(ticket, nowMs);
  }

  /** Seconds of media came; returns how long they took, ms. */
  onCame(ticket: number, mediaSeconds: number, nowMs: number): number {
    const askedMs = this.#askedMs.get(ticket);
    this.#askedMs.delete(ticket);
    if (askedMs === undefined) return 0;
    const tookMs = nowMs - askedMs;
    if (mediaSeconds <= 0 || (tookMs < HERE_MS && this.#factor === undefined)) return tookMs;
    const factor = Math.min(PLENTY, (mediaSeconds * 1000) / Math.max(1, tookMs));
    this.#factor = this.#factor === undefined ? factor : this.#factor + (factor - this.#factor) * SMOOTHING;
    return tookMs;
  }

  /** How long the oldest answer that is still to come has been waited for, ms. */
  waitingMs(nowMs: number): number {
    const oldest = this.#askedMs.values().next().value;
    return oldest === undefined ? 0 : nowMs - oldest;
  }

  /** What was asked for is wanted no more. */
  clear(): void {
    this.#askedMs.clear();
  }
}
