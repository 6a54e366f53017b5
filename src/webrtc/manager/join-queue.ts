import { type AbortOptions, type Cancel, CidcastError, type Clock } from "../../core/index.ts";
import { MAX_WAITING_JOINS } from "./limits.ts";

/** Joins that may begin at once after a quiet time. */
const BURST = 8;

export interface JoinQueueInit {
  /** Joins that may begin per second; 0: any number. */
  readonly perSecond: number;
  readonly clock: Clock;
}

interface Waiting {
  readonly go: () => void;
}

/**
 * Lets viewers join at a rate that leaves those who play undisturbed: a join costs as much processor time as some seconds
 * of playing. Further ones wait in turn, and when too many wait they are told to come back.
 */
export class JoinQueue {
  readonly #init: JoinQueueInit;
  readonly #waiting = new Set<Waiting>();
  #tokens = BURST;
  #filledMs: number;
  #cancelTimer: Cancel | undefined;

  constructor(init: JoinQueueInit) {
    this.#init = init;
    this.#filledMs = init.clock.monotonicMs();
  }

  /** Joins that wait for their turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves when it is this join's turn. `BUSY` when too many wait, the signal's reason when it aborts first. */
  async enter({ signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#init.perSecond === 0) return;
    this.#fill();
    if (this.#waiting.size === 0 && this.#tokens >= 1) {
      this.#tokens--;
      return;
    }
    if (this.#waiting.size >= MAX_WAITING_JOINS) throw this.#busy();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const entry: Waiting = { go: resolve };
    const onAbort = (): void => {
      this.#waiting.delete(entry);
      reject(signal?.reason);
    };
    this.#waiting.add(entry);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#schedule();
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Those that wait go on: whatever they were to join is closed. */
  close(): void {
    this.#cancelTimer?.();
    for (const { go } of this.#waiting) go();
    this.#waiting.clear();
  }

  #fill(): void {
    const now = this.#init.clock.monotonicMs();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledMs) / 1000) * this.#init.perSecond);
    this.#filledMs = now;
  }

  #schedule(): void {
    if (this.#cancelTimer !== undefined || this.#waiting.size === 0) return;
    const delayMs = Math.max(1, Math.ceil(((1 - this.#tokens) / this.#init.perSecond) * 1000));
    this.#cancelTimer = this.#init.clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#fill();
      for (const entry of this.#waiting) {
        if (this.#tokens < 1) break;
        this.#tokens--;
        this.#waiting.delete(entry);
        entry.go();
      }
      this.#schedule();
    });
  }

  #busy(): CidcastError {
    const seconds = Math.ceil(this.#waiting.size / this.#init.perSecond);
    return new CidcastError("BUSY", `${this.#waiting.size} viewers wait to join already`, {
      retryAfterSeconds: Math.max(1, seconds),
    });
  }
}
