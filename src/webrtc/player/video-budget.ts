/** What may be saved up for a keyframe, and owed by ordinary frames, seconds of the path's rate. */
const SAVED_SECONDS = 1;
const OWED_SECONDS = 0.15;

/**
 * What pictures may take of a path that is the limit. A frame that there is no room for is left out with all that build
 * on it, up to the next keyframe, so that nothing queues. Sound is always sent, and counted.
 */
export class VideoBudget {
  /** Frames left out. */
  skipped = 0;
  #bytesPerSecond: number | undefined;
  #tokens = 0;
  #lastMs: number;
  #skipping = false;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** Lets time pass. `limitBps`: what the path carries; undefined: it is not the limit. */
  tick(nowMs: number, limitBps: number | undefined): void {
    const seconds = (nowMs - this.#lastMs) / 1000;
    this.#lastMs = nowMs;
    if (limitBps === undefined || this.#bytesPerSecond === undefined) this.#tokens = 0;
    this.#bytesPerSecond = limitBps === undefined ? undefined : limitBps / 8;
    const rate = this.#bytesPerSecond ?? 0;
    this.#tokens = Math.min(rate * SAVED_SECONDS, this.#tokens + rate * seconds);
  }

  /** True while frames are left out. */
  get skipping(): boolean {
    return this.#skipping;
  }

  /** True when the frame may be sent; it is counted as sent. */
  admit(bytes: number, isKey: boolean): boolean {
    const rate = this.#bytesPerSecond;
    if (isKey) this.#skipping = rate !== undefined && this.#tokens < 0;
    else this.#skipping ||= rate !== undefined && this.#tokens - bytes < -rate * OWED_SECONDS;
    if (this.#skipping) this.skipped++;
    else this.spend(bytes);
    return !this.#skipping;
  }

  /** Something left that nothing is asked for. */
  spend(bytes: number): void {
    if (this.#bytesPerSecond !== undefined) this.#tokens -= bytes;
  }

  /** The viewer went elsewhere: the picture of that place comes at once. */
  restart(): void {
    this.#tokens = Math.max(0, this.#tokens);
    this.#skipping = false;
  }
}
