/** Rate at which pictures that are only decoded leave, bytes per second. */
const BYTES_PER_SECOND = 3_000_000;
/** What of them may leave at once, bytes: a receiver's default socket buffer holds it. */
const BURST_BYTES = 128 * 1024;
/** Pictures per second: receivers decode no faster. */
const PICTURES_PER_SECOND = 500;
/** Most bytes of one lead-in: after a good second playing begins where it got to. */
export const LEAD_IN_MAX_BYTES = 4 * 1024 * 1024;

/** How fast the pictures between a keyframe and the one asked for leave, and when that is given up. */
export class LeadIn {
  readonly #startMs: number;
  #bytes = 0;
  #pictures = 0;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  /** True when it has cost as much as it may. */
  get spent(): boolean {
    return this.#bytes >= LEAD_IN_MAX_BYTES;
  }

  /** True when one more picture may leave now. */
  mayCarryOn(nowMs: number): boolean {
    const seconds = (nowMs - this.#startMs) / 1000;
    const late = this.#bytes > BURST_BYTES + seconds * BYTES_PER_SECOND;
    return !late && this.#pictures <= seconds * PICTURES_PER_SECOND;
  }

  spend(bytes: number): void {
    this.#bytes += bytes;
    this.#pictures += 1;
  }
}
