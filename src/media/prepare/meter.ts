import type { Clock } from "../../core/index.ts";
import type { JobProgress } from "./types.ts";

/** Shortest time between two reports, milliseconds. */
const REPORT_MS = 1000;

/** Seconds of encoded pictures count whole, sound and copies by what they cost beside them. */
export const WORK_SHARE = { pictures: 1, sound: 0.03, copy: 0.02 } as const;

/** Adds up what a job has done, and tells how far it is. */
export class Meter {
  readonly #clock: Clock;
  readonly #onReport: (progress: JobProgress) => void;
  readonly #startedMs: number;
  #reportedMs: number;
  #total = 0;
  /** Done before this run began: kept from an earlier one. */
  #before = 0;
  #done = 0;
  #pictures = 0;

  constructor(clock: Clock, onReport: (progress: JobProgress) => void) {
    this.#clock = clock;
    this.#onReport = onReport;
    this.#startedMs = clock.monotonicMs();
    this.#reportedMs = this.#startedMs;
  }

  /** There is so much work, of which so much was done before. */
  plan(work: number, before = 0): void {
    this.#total += work;
    this.#before += before;
  }

  /** So much work is done, so many pictures of the source with it. */
  add(work: number, pictures = 0): void {
    this.#done += work;
    this.#pictures += pictures;
    const now = this.#clock.monotonicMs();
    if (now - this.#reportedMs < REPORT_MS) return;
    this.#reportedMs = now;
    this.#onReport(this.progress());
  }

  progress(): JobProgress {
    const seconds = Math.max(0.001, (this.#clock.monotonicMs() - this.#startedMs) / 1000);
    const share = this.#total <= 0 ? 0 : Math.min(1, (this.#before + this.#done) / this.#total);
    const left = this.#total - this.#before - this.#done;
    return {
      percent: Math.round(share * 1000) / 10,
      fps: Math.round((this.#pictures / seconds) * 10) / 10,
      ...(this.#done > 0 && { etaSeconds: Math.max(0, Math.round((left * seconds) / this.#done)) }),
    };
  }
}
