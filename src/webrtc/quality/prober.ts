import type { ProbeClusters } from "../congestion/probe-clusters.ts";

/** How long a probe sends, ms, and at least how much: fewer packets say little. */
const PROBE_MS = 60;
const LEAST_BYTES = 6 * 1100;
/** Of a probe, what is sent in a row when our own loop was late, as a time, ms: it takes longer instead. */
const CATCH_UP_MS = 15;

export interface ProberInit {
  readonly clusters: ProbeClusters;
  /** Sends about that many bytes that only fill the path, each packet told by `onSent`; false when there is nothing to send. */
  readonly pad: (bytes: number) => boolean;
}

/** Sends probes: for a short time everything that leaves makes up a given rate. */
export class Prober {
  /** Number of the probe that what leaves now belongs to; 0: none. */
  cluster = 0;
  readonly #init: ProberInit;
  #bytesPerMs = 0;
  #startMs = 0;
  #lastMs = 0;
  #totalBytes = 0;
  #sent = 0;

  constructor(init: ProberInit) {
    this.#init = init;
  }

  get busy(): boolean {
    return this.cluster !== 0;
  }

  /** Begins a probe of that rate; one that is under way goes on instead. */
  start(bps: number, nowMs: number): void {
    if (this.busy) return;
    this.cluster = this.#init.clusters.open(nowMs);
    this.#bytesPerMs = bps / 8000;
    this.#totalBytes = Math.max(LEAST_BYTES, this.#bytesPerMs * PROBE_MS);
    this.#startMs = this.#lastMs = nowMs;
    this.#sent = 0;
  }

  /** A packet leaves: while a probe is under way all that does is part of it. */
  onSent(bytes: number): void {
    if (this.busy) this.#sent += bytes;
  }

  /** Sends what is due. */
  tick(nowMs: number): void {
    if (!this.busy) return;
    const lateMs = nowMs - this.#lastMs - CATCH_UP_MS;
    // Time that our own loop has lost does not count.
    if (lateMs > 0) this.#startMs += lateMs;
    this.#lastMs = nowMs;
    const due = Math.min(this.#totalBytes, this.#bytesPerMs * (nowMs - this.#startMs) + 1);
    if (this.#sent < due && !this.#init.pad(due - this.#sent)) return this.#end();
    if (this.#sent >= this.#totalBytes) this.#end();
  }

  #end(): void {
    this.#init.clusters.close(this.cluster);
    this.cluster = 0;
  }
}
