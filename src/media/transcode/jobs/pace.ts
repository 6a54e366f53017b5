/** How pictures are left out where the machine does not keep up, from all of them to a slide show. */
export interface PaceLevel {
  /** Pictures nearer to the one before than this are left out, microseconds. */
  readonly minFrameGapUs: number;
  /** Pictures that the decoder passes over: those nothing depends on, or all but keyframes. */
  readonly skip: "none" | "noref" | "nokey";
}

export const PACE_LEVELS: readonly [PaceLevel, ...PaceLevel[]] = [
  { minFrameGapUs: 0, skip: "none" },
  { minFrameGapUs: 1e6 / 16, skip: "none" },
  { minFrameGapUs: 1e6 / 11, skip: "noref" },
  { minFrameGapUs: 1e6 / 6, skip: "noref" },
  { minFrameGapUs: 1e6 / 6, skip: "nokey" },
];

/** Seconds made beyond what is asked for below which readers wait for each picture. */
const STARVING_SECONDS = 1;

/** Seconds made beyond what is asked for at which there is room for more pictures. */
const PLENTY_SECONDS = 4;

/** How long readers wait, and the distance does not grow, before more pictures are left out, milliseconds. */
const RAISE_AFTER_MS = 2000;

/** How far the distance must grow in that time, seconds: less is no way out. */
const LEAST_GROWTH_SECONDS = 0.1;

/** How long there is plenty before fewer are left out, milliseconds; doubled each time that was too early, up to the second. */
const LOWER_AFTER_MS = 5000;
const LOWER_AFTER_MAX_MS = 120_000;

/** Leaving out pictures again so soon after it was lessened means that it was too early, milliseconds. */
const TOO_EARLY_MS = 20_000;

/** Decides how many pictures a transcode leaves out, from how far it is ahead of its readers. */
export class PaceController {
  #level = 0;
  #starving: { readonly sinceMs: number; readonly ahead: number } | undefined;
  #plentySinceMs: number | undefined;
  #lowerAfterMs = LOWER_AFTER_MS;
  #loweredMs = Number.NEGATIVE_INFINITY;

  /** The level now: an index into {@link PACE_LEVELS}. */
  get level(): number {
    return this.#level;
  }

  /** Takes note of how many seconds of media lie between what is made and what is asked for; true when the level changed. */
  observe(nowMs: number, aheadSeconds: number): boolean {
    if (aheadSeconds >= STARVING_SECONDS) this.#starving = undefined;
    else this.#starving ??= { sinceMs: nowMs, ahead: aheadSeconds };
    if (aheadSeconds < PLENTY_SECONDS) this.#plentySinceMs = undefined;
    else this.#plentySinceMs ??= nowMs;
    if (this.#starving !== undefined && nowMs - this.#starving.sinceMs >= RAISE_AFTER_MS) {
      const grown = aheadSeconds - this.#starving.ahead;
      this.#starving = { sinceMs: nowMs, ahead: aheadSeconds };
      return grown < LEAST_GROWTH_SECONDS && this.#raise(nowMs);
    }
    if (this.#plentySinceMs === undefined || nowMs - this.#plentySinceMs < this.#lowerAfterMs) return false;
    this.#plentySinceMs = nowMs;
    if (this.#level === 0) return false;
    this.#level -= 1;
    this.#loweredMs = nowMs;
    return true;
  }

  #raise(nowMs: number): boolean {
    if (this.#level + 1 >= PACE_LEVELS.length) return false;
    if (nowMs - this.#loweredMs < TOO_EARLY_MS) {
      this.#lowerAfterMs = Math.min(LOWER_AFTER_MAX_MS, this.#lowerAfterMs * 2);
    }
    this.#level += 1;
    return true;
  }
}
