/** A keyframe leaves at no more than this multiple of its track's bitrate. @see libwebrtc's pacing factor */
const PACING_FACTOR = 2.5;
/** Slowest pacing, bytes per second: still pictures have bitrates near nothing. */
const MIN_RATE_BYTES = 500_000;
/**
 * What may leave at once at the start and after a seek, bytes: the first picture is waited for, nothing else is under
 * way, and a receiver's default socket buffer holds it.
 */
export const START_BURST_BYTES = 128 * 1024;
/** What may leave at once while playing, bytes: an ordinary frame. */
const BURST_BYTES = 24 * 1024;

/** Tokens in bytes: decides how much of a large frame may leave now. */
export class Pacer {
  readonly #rate: number;
  #tokens = START_BURST_BYTES;
  #lastMs: number;

  constructor(bitrateBps: number | undefined, nowMs: number) {
    this.#rate = Math.max(MIN_RATE_BYTES, ((bitrateBps ?? 0) / 8) * PACING_FACTOR);
    this.#lastMs = nowMs;
  }

  /** Lets time pass. */
  tick(nowMs: number): void {
    const earned = ((nowMs - this.#lastMs) / 1000) * this.#rate;
    this.#lastMs = nowMs;
    if (this.#tokens < BURST_BYTES) this.#tokens = Math.min(BURST_BYTES, this.#tokens + earned);
  }

  get mayCarryOn(): boolean {
    return this.#tokens > 0;
  }

  spend(bytes: number): void {
    this.#tokens -= bytes;
    // A burst of ordinary frames is paid back before the next keyframe, but not for longer than one burst takes.
    if (this.#tokens < -BURST_BYTES) this.#tokens = -BURST_BYTES;
  }

  /** A first picture comes: it may leave as a burst. */
  restart(): void {
    this.#tokens = START_BURST_BYTES;
  }
}
