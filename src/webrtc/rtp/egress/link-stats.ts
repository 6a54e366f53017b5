const RING = 4096;
const RATE_WINDOW_MS = 1000;
const RTT_SMOOTHING = 1 / 8;
/** What is known of a packet that was sent: it arrived, nothing yet, or that it had not arrived when others had. */
const SETTLED = 0;
const PENDING = 1;
const MISSED = 2;

/** What is measured of a viewer's path: by transport-wide feedback, receiver reports and sender reports. */
export class LinkStats {
  readonly #sizes = new Uint16Array(RING);
  readonly #pending = new Uint8Array(RING);
  #ackedBytes = 0;
  #windowStart: number;
  #arrived = 0;
  #lost = 0;
  bytesSent = 0;
  packetsSent = 0;
  keyframeRequests = 0;
  nacks = 0;
  /** Smoothed, ms; undefined before the first measurement. */
  roundTripMs: number | undefined;
  /** Interarrival jitter of the video (or only) stream, ms. */
  jitterMs: number | undefined;
  /** Share of packets lost, 0 to 1, over the last feedback window. */
  packetLoss = 0;
  /** Bits per second that arrived over the last window. */
  receivedBps: number | undefined;

  constructor(nowMs: number) {
    this.#windowStart = nowMs;
  }

  onSent(transportSequence: number, bytes: number): void {
    const at = transportSequence % RING;
    this.#sizes[at] = bytes;
    this.#pending[at] = PENDING;
    this.bytesSent += bytes;
    this.packetsSent++;
  }

  onArrival(transportSequence: number, arrived: boolean): void {
    const at = transportSequence % RING;
    const state = this.#pending[at] ?? SETTLED;
    if (arrived) {
      if (state !== SETTLED) {
        this.#ackedBytes += this.#sizes[at] ?? 0;
        this.#arrived++;
      }
      // Others overtook it: it was not lost.
      if (state === MISSED) this.#lost = Math.max(0, this.#lost - 1);
      this.#pending[at] = SETTLED;
    } else if (state === PENDING) {
      this.#lost++;
      this.#pending[at] = MISSED;
    }
  }

  /** Closes the window when it is long enough. */
  onFeedbackEnd(nowMs: number): void {
    const elapsed = nowMs - this.#windowStart;
    if (elapsed < RATE_WINDOW_MS) return;
    this.receivedBps = Math.round((this.#ackedBytes * 8 * 1000) / elapsed);
    const reported = this.#arrived + this.#lost;
    this.packetLoss = reported === 0 ? 0 : this.#lost / reported;
    this.#windowStart = nowMs;
    this.#ackedBytes = this.#arrived = this.#lost = 0;
  }

  onRoundTrip(ms: number): void {
    if (!(ms >= 0)) return;
    this.roundTripMs =
      this.roundTripMs === undefined ? ms : this.roundTripMs + (ms - this.roundTripMs) * RTT_SMOOTHING;
  }
}
