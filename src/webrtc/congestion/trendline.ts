/** Packet groups that the line is fitted to. */
const WINDOW = 20;
const SMOOTHING = 0.9;
/** Gain of the slope, and the most groups that strengthen it. @see libwebrtc's TrendlineEstimator */
const GAIN = 4;
const MAX_GROUPS = 60;
const START_THRESHOLD = 12.5;
const MIN_THRESHOLD = 6;
const MAX_THRESHOLD = 600;
/** How quickly the threshold follows a trend beyond it, and within it, per ms. */
const RAISE = 0.0087;
const LOWER = 0.039;
/** A trend that lies further out than this is a jump of the path, to which the threshold does not adapt. */
const MAX_ADAPT = 15;
const MAX_ADAPT_STEP_MS = 100;
/** How long a trend must last before it counts, ms. */
const OVERUSE_MS = 10;

/** What the queue on the path does: it grows, it shrinks, or neither. */
export type Usage = "over" | "normal" | "under";

/**
 * The trend of one-way delay: a line through the accumulated delay differences of packet groups, held against a
 * threshold that adapts to the path's own jitter. @see https://datatracker.ietf.org/doc/html/draft-ietf-rmcat-gcc-02#section-5
 */
export class Trendline {
  readonly #x = new Float64Array(WINDOW);
  readonly #y = new Float64Array(WINDOW);
  #groups = 0;
  #accumulated = 0;
  #smoothed = 0;
  #firstMs = 0;
  #threshold = START_THRESHOLD;
  #lastMs = 0;
  #previous = 0;
  #overMs = 0;
  #overs = 0;
  usage: Usage = "normal";

  /** One group after another: their distance when sent and when they arrived, and the later one's arrival, ms. */
  add(sentDeltaMs: number, arrivalDeltaMs: number, arrivalMs: number): void {
    if (this.#groups === 0) this.#firstMs = this.#lastMs = arrivalMs;
    const at = this.#groups % WINDOW;
    this.#groups++;
    this.#accumulated += arrivalDeltaMs - sentDeltaMs;
    this.#smoothed = SMOOTHING * this.#smoothed + (1 - SMOOTHING) * this.#accumulated;
    this.#x[at] = arrivalMs - this.#firstMs;
    this.#y[at] = this.#smoothed;
    if (this.#groups < WINDOW) return;
    this.#detect(Math.min(this.#groups, MAX_GROUPS) * this.#slope() * GAIN, sentDeltaMs, arrivalMs);
  }

  #slope(): number {
    let meanX = 0;
    let meanY = 0;
    for (let i = 0; i < WINDOW; i++) {
      meanX += (this.#x[i] ?? 0) / WINDOW;
      meanY += (this.#y[i] ?? 0) / WINDOW;
    }
    let above = 0;
    let below = 0;
    for (let i = 0; i < WINDOW; i++) {
      const x = (this.#x[i] ?? 0) - meanX;
      above += x * ((this.#y[i] ?? 0) - meanY);
      below += x * x;
    }
    return below === 0 ? 0 : above / below;
  }

  #detect(trend: number, sentDeltaMs: number, nowMs: number): void {
    if (trend > this.#threshold) {
      this.#overMs += sentDeltaMs;
      this.#overs++;
      if (this.#overMs > OVERUSE_MS && this.#overs > 1 && trend >= this.#previous) this.usage = "over";
    } else {
      this.#overMs = this.#overs = 0;
      this.usage = trend < -this.#threshold ? "under" : "normal";
    }
    this.#previous = trend;
    const distance = Math.abs(trend) - this.#threshold;
    if (distance < MAX_ADAPT) {
      const step = Math.min(MAX_ADAPT_STEP_MS, Math.max(0, nowMs - this.#lastMs));
      this.#threshold += (distance < 0 ? LOWER : RAISE) * distance * step;
      this.#threshold = Math.min(MAX_THRESHOLD, Math.max(MIN_THRESHOLD, this.#threshold));
    }
    this.#lastMs = nowMs;
  }
}
