import type { PathRate } from "./pacer.ts";

/** Fastest that pictures that are only decoded leave, bytes per second. */
const BYTES_PER_SECOND = 3_000_000;
/** How fast they may leave on a path that has carried little so far, because little was sent, bytes per second. */
const TRIED_BYTES_PER_SECOND = 1_000_000;
/** What of them may leave at once, bytes: a receiver's default socket buffer holds it. */
const BURST_BYTES = 128 * 1024;
/** Share of a second's bytes that may leave at once on a path that is the limit. */
const BURST_SECONDS = 0.1;
/** Pictures per second: receivers decode no faster. */
const PICTURES_PER_SECOND = 500;
/** Most bytes of one lead-in: after a good second playing begins where it got to. */
export const LEAD_IN_MAX_BYTES = 4 * 1024 * 1024;
/** Longest lead-in on a path that is the limit, seconds: what it carries in that time is all there can be. */
export const LEAD_IN_MAX_SECONDS = 4;
/** Slowest that they leave, bytes per second: on a busy machine a path looks narrower than it is. */
const LEAST_BYTES_PER_SECOND = 125_000;

/** How fast the pictures between a keyframe and the one asked for leave, and when that is given up. */
export class LeadIn {
  readonly #startMs: number;
  readonly #bytesPerSecond: number;
  readonly #burst: number;
  readonly #most: number;
  #bytes = 0;
  #pictures = 0;

  /** `path`: what is known of the viewer's. */
  constructor(nowMs: number, { estimateBps = 0, limitBps }: PathRate) {
    this.#startMs = nowMs;
    const tried = estimateBps === 0 ? BYTES_PER_SECOND : Math.max(TRIED_BYTES_PER_SECOND, estimateBps / 4);
    this.#bytesPerSecond = Math.min(
      BYTES_PER_SECOND,
      limitBps === undefined ? tried : Math.max(LEAST_BYTES_PER_SECOND, limitBps / 8),
    );
    const limited = limitBps !== undefined;
    this.#burst = limited ? Math.min(BURST_BYTES, this.#bytesPerSecond * BURST_SECONDS) : BURST_BYTES;
    const carried = limited ? this.#bytesPerSecond * LEAD_IN_MAX_SECONDS : LEAD_IN_MAX_BYTES;
    this.#most = Math.min(LEAD_IN_MAX_BYTES, carried);
  }

  /** True when it has cost as much as it may. */
  get spent(): boolean {
    return this.#bytes >= this.#most;
  }

  /** True when one more picture may leave now. */
  mayCarryOn(nowMs: number): boolean {
    const seconds = (nowMs - this.#startMs) / 1000;
    const late = this.#bytes > this.#burst + seconds * this.#bytesPerSecond;
    return !late && this.#pictures <= seconds * PICTURES_PER_SECOND;
  }

  spend(bytes: number): void {
    this.#bytes += bytes;
    this.#pictures += 1;
  }
}
