/** Pictures leave at so many times what their rung takes on average. @see libwebrtc's pacing factor */
export const PACING_FACTOR = 2.5;
/** Slowest pacing where nothing is known of the path, bits per second: still pictures have bitrates near nothing. */
const LEAST_UNKNOWN_BPS = 4_000_000;
/** What pictures are taken for where their average says little of a single second, bits per second. */
const UNSTEADY_BPS = LEAST_UNKNOWN_BPS / PACING_FACTOR;
/** Slowest pacing of a path that is known, bits per second. */
const LEAST_BPS = 300_000;
/** Share of the estimate that pictures leave at, while the path is the limit and while it is not. */
const LIMITED_SHARE = 1.1;
const KNOWN_SHARE = 0.8;
/**
 * Pictures whose average can be relied on leave no faster than the path is known to carry, but at least so much faster than their
 * average: a keyframe that leaves faster makes a queue in which everybody else's sound waits.
 */
const LEAST_STEADY_FACTOR = 1.3;
/** Keyframes of small pictures make no queue to speak of, bits per second. */
const LEAST_STEADY_BPS = 1_500_000;
/**
 * What may leave at once at the start and after a seek, bytes: the first picture is waited for, nothing else is under
 * way, and a receiver's default socket buffer holds it.
 */
export const START_BURST_BYTES = 128 * 1024;
/** How much of a known path's time a first picture may take at once, seconds. */
const START_BURST_SECONDS = 0.25;
/**
 * Pictures that the pace holds up by more than this on a path that is not the limit need a faster one, seconds: they are larger
 * than their track's average said. It quickens and calms down by these shares each second.
 */
const HELD_SECONDS = 0.03;
const HURRY = 10;
const CALM = 0.2;
const MOST_HURRY = 16;
/** What may leave at once while playing: so many seconds' worth, within these bounds in bytes. */
const BURST_SECONDS = 0.04;
const MIN_BURST_BYTES = 4 * 1024;
const MAX_BURST_BYTES = 24 * 1024;

/** What is known of a path. */
export interface PathRate {
  /** Undefined before anything has been heard of it. */
  readonly estimateBps: number | undefined;
  /** Set while it is the limit. */
  readonly limitBps: number | undefined;
  /** What it carries at most, where that was met lately. */
  readonly ceilingBps?: number | undefined;
}

const UNKNOWN: PathRate = { estimateBps: undefined, limitBps: undefined };

/**
 * The pace of one viewer: tokens in bytes. Sound takes them without being asked to wait; what is sent again, pictures and
 * probes, in this order, leave while there are some.
 */
export class Pacer {
  #rate = LEAST_UNKNOWN_BPS / 8;
  #burst = MAX_BURST_BYTES;
  #first = START_BURST_BYTES;
  #tokens = START_BURST_BYTES;
  #lastMs: number;
  #hurry = 1;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** The pictures' average can be relied on: they were encoded for a rate. */
  steady = false;
  /** How long the picture that waits has been held up by this pace, seconds. */
  heldSeconds = 0;
  /** What was known of the path last. */
  path: PathRate = UNKNOWN;

  /** Lets time pass. `mediaBps`: what the pictures take on average. */
  tick(nowMs: number, mediaBps: number, path: PathRate = UNKNOWN): void {
    this.path = path;
    this.#rate = rateOf(this.steady ? mediaBps : Math.max(mediaBps, UNSTEADY_BPS), path) / 8;
    const seconds = (nowMs - this.#lastMs) / 1000;
    if (path.limitBps !== undefined) this.#hurry = 1;
    else if (this.heldSeconds > HELD_SECONDS)
      this.#hurry = Math.min(MOST_HURRY, this.#hurry * (1 + HURRY * seconds));
    else this.#hurry = Math.max(1, this.#hurry * (1 - CALM * seconds));
    this.#rate *= this.#hurry;
    if (this.steady && path.ceilingBps !== undefined) {
      const least = Math.max(LEAST_STEADY_BPS, LEAST_STEADY_FACTOR * mediaBps);
      this.#rate = Math.min(this.#rate, Math.max(least, path.ceilingBps) / 8);
    }
    this.#burst = Math.min(MAX_BURST_BYTES, Math.max(MIN_BURST_BYTES, this.#rate * BURST_SECONDS));
    const known = path.limitBps ?? path.estimateBps;
    const first = known === undefined ? START_BURST_BYTES : (known / 8) * START_BURST_SECONDS;
    this.#first = Math.min(START_BURST_BYTES, Math.max(this.#burst, first));
    const earned = seconds * this.#rate;
    this.#lastMs = nowMs;
    if (this.#tokens < this.#burst) this.#tokens = Math.min(this.#burst, this.#tokens + earned);
  }

  /** Bytes that leave in a second. */
  get bytesPerSecond(): number {
    return this.#rate;
  }

  get mayCarryOn(): boolean {
    return this.#tokens > 0;
  }

  spend(bytes: number): void {
    // What nobody waits for is owed, but not for longer than one burst takes.
    this.#tokens = Math.max(this.#tokens - bytes, -this.#burst);
  }

  /** A first picture comes: it may leave as a burst. */
  restart(): void {
    this.#tokens = Math.max(this.#tokens, this.#first);
  }
}

function rateOf(mediaBps: number, { estimateBps, limitBps }: PathRate): number {
  if (limitBps !== undefined) return Math.max(LEAST_BPS, LIMITED_SHARE * limitBps);
  const media = PACING_FACTOR * mediaBps;
  return Math.max(
    media,
    estimateBps === undefined ? LEAST_UNKNOWN_BPS : KNOWN_SHARE * estimateBps,
    LEAST_BPS,
  );
}
