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
  #paused = false;

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

  /** True while the path is the limit. */
  get limited(): boolean {
    return this.#bytesPerSecond !== undefined;
  }

  /** True while frames are left out. */
  get skipping(): boolean {
    return this.#skipping;
  }

  /** True while no frame is sent at all. */
  get paused(): boolean {
    return this.#paused;
  }

  /** No frame is sent any more, or again from the next keyframe on. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (paused) this.#skipping = true;
  }

  /** True when the frame may be sent; it is counted as sent. `alone`: no other frame depends on it. */
  admit(bytes: number, isKey: boolean, alone = false): boolean {
    const rate = this.#bytesPerSecond;
    const short = rate !== undefined && this.#tokens - bytes < -rate * OWED_SECONDS;
    if (isKey) this.#skipping = this.#paused || (rate !== undefined && this.#tokens < 0);
    else if (alone && rate !== undefined && this.#tokens < bytes) return this.#leaveOut();
    else this.#skipping ||= short;
    if (this.#skipping) return this.#leaveOut();
    this.spend(bytes);
    return true;
  }

  /** What comes is late by much: nothing more until the next keyframe. */
  skip(): void {
    this.#skipping = true;
  }

  #leaveOut(): false {
    this.skipped++;
    return false;
  }

  /** Something left that nothing is asked for. */
  spend(bytes: number): void {
    if (this.#bytesPerSecond !== undefined) this.#tokens -= bytes;
  }

  /** The viewer went elsewhere: the picture of that place comes at once. */
  restart(): void {
    this.#tokens = Math.max(0, this.#tokens);
    this.#skipping = this.#paused;
  }
}
