/** Bytes that frames are cut from at a time: some two hundred events. */
const SLAB_BYTES = 64 * 1024;
/** Frames beyond that have memory of their own. */
const MAX_SHARED_BYTES = SLAB_BYTES / 8;

/**
 * Memory for the frames of events, which stay as long as the log holds the event and go in the order in which they came.
 * Cut from Node.js's own pool each would keep alive what was cut beside it: three times the bytes, measured.
 */
export class FrameSlab {
  #slab = Buffer.alloc(0);
  #used = 0;

  /** Memory whose content is undefined. */
  take(bytes: number): Buffer {
    if (bytes > MAX_SHARED_BYTES) return Buffer.allocUnsafeSlow(bytes);
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const piece = this.#slab.subarray(this.#used, this.#used + bytes);
    this.#used += bytes;
    return piece;
  }
}
