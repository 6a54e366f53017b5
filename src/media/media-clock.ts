/** The one thing a media clock needs of a clock: monotonic milliseconds. */
export interface MonotonicClock {
  monotonicMs(): number;
}

/** Slowest and fastest that media is played. */
export const MIN_RATE = 0.25;
export const MAX_RATE = 4;

/** What a clock starts with. */
export interface MediaClockInit {
  /** Where playing starts, seconds of media; default 0. */
  readonly positionSeconds?: number;
  /** Where the media ends, seconds; default never. The position stops there. */
  readonly durationSeconds?: number;
  /** Seconds of media per second; default 1. */
  readonly rate?: number;
}

/** Where playing is, as a function of time: it holds no timer, so asking costs nothing and nothing needs closing. Starts paused. */
export class MediaClock {
  readonly #clock: MonotonicClock;
  readonly #durationSeconds: number;
  #anchorMs: number;
  #anchorSeconds: number;
  #rate: number;
  #playing = false;

  constructor(clock: MonotonicClock, init: MediaClockInit = {}) {
    this.#clock = clock;
    this.#durationSeconds = init.durationSeconds ?? Number.POSITIVE_INFINITY;
    this.#rate = clamp(init.rate ?? 1, MIN_RATE, MAX_RATE);
    this.#anchorMs = clock.monotonicMs();
    this.#anchorSeconds = clamp(init.positionSeconds ?? 0, 0, this.#durationSeconds);
  }

  get playing(): boolean {
    return this.#playing;
  }

  get rate(): number {
    return this.#rate;
  }

  /** The position now, seconds of media, never past the end. */
  get positionSeconds(): number {
    return this.positionAt(this.#clock.monotonicMs());
  }

  /** True once the position is at the end. */
  get ended(): boolean {
    return this.positionSeconds >= this.#durationSeconds;
  }

  /** The position at a moment of the clock. */
  positionAt(monotonicMs: number): number {
    if (!this.#playing) return this.#anchorSeconds;
    const elapsed = ((monotonicMs - this.#anchorMs) / 1000) * this.#rate;
    return clamp(this.#anchorSeconds + elapsed, 0, this.#durationSeconds);
  }

  /** The moment of the clock at which `positionSeconds` is reached; undefined while paused. It may lie in the past. */
  timeOf(positionSeconds: number): number | undefined {
    if (!this.#playing) return undefined;
    return this.#anchorMs + ((positionSeconds - this.#anchorSeconds) / this.#rate) * 1000;
  }

  play(): void {
    this.#anchor();
    this.#playing = true;
  }

  pause(): void {
    this.#anchor();
    this.#playing = false;
  }

  /** Goes to a position; playing goes on, or not, as before. */
  seek(positionSeconds: number): void {
    this.#anchorMs = this.#clock.monotonicMs();
    this.#anchorSeconds = clamp(positionSeconds, 0, this.#durationSeconds);
  }

  /** Plays slower or faster from here on, within the limits. */
  setRate(rate: number): void {
    this.#anchor();
    this.#rate = clamp(rate, MIN_RATE, MAX_RATE);
  }

  #anchor(): void {
    const now = this.#clock.monotonicMs();
    this.#anchorSeconds = this.positionAt(now);
    this.#anchorMs = now;
  }
}

/** A number that is not one becomes the lower bound. */
function clamp(value: number, low: number, high: number): number {
  return value >= low ? Math.min(value, high) : low;
}
