import type { PathRate } from "./pacer.ts";

/** What may be saved up for a keyframe, and owed by ordinary frames, seconds of the path's rate. */
const SAVED_SECONDS = 1;
const OWED_SECONDS = 0.15;
const KEY_OWED_SECONDS = 0.2;
/** A limit below this share of the estimate lets a queue go. */
const DRAINING_SHARE = 0.98;
/** What may be owed already when a keyframe comes, seconds: to leave it out costs a whole group of pictures. */
const KEY_SHORT_SECONDS = 0.15;

/**
 * What pictures may take of a path that is the limit. A frame that there is no room for is left out with all that build
 * on it, up to the next keyframe, so that nothing queues. Sound is always sent, and counted.
 */
export class VideoBudget {
  /** Frames left out. */
  skipped = 0;
  /** What the path is known to carry; 0: nothing is known. */
  pathBytesPerSecond = 0;
  #bytesPerSecond: number | undefined;
  #tokens = 0;
  #lastMs: number;
  #skipping = false;
  #draining = false;
  /** What may be owed for the keyframe that left last. */
  #keyOwed = 0;
  #paused = false;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** Lets time pass. */
  tick(nowMs: number, path: PathRate | undefined): void {
    const { limitBps, estimateBps = 0 } = path ?? {};
    this.pathBytesPerSecond = estimateBps / 8;
    const drains = (limitBps ?? 0) < DRAINING_SHARE * estimateBps;
    const seconds = (nowMs - this.#lastMs) / 1000;
    this.#lastMs = nowMs;
    // With the queue goes what was owed for it.
    if (this.#draining && !drains) this.#tokens = Math.max(0, this.#tokens);
    this.#draining = drains;
    if (limitBps === undefined || this.#bytesPerSecond === undefined) this.#tokens = this.#keyOwed = 0;
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
    const short = rate !== undefined && this.#tokens - bytes < -rate * OWED_SECONDS - this.#keyOwed;
    if (isKey)
      this.#skipping = this.#paused || (rate !== undefined && this.#tokens < -rate * KEY_SHORT_SECONDS);
    else if (alone && rate !== undefined && this.#tokens < bytes) return this.#leaveOut();
    else this.#skipping ||= short;
    if (this.#skipping) return this.#leaveOut();
    // A small keyframe is paid back by the frames that follow it: they are not left out for it.
    if (isKey) this.#keyOwed = Math.min(bytes, (rate ?? 0) * KEY_OWED_SECONDS);
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
