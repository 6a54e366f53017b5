import { MAX_POOLED_BYTES, MIN_POOLED_BYTES } from "../limits.ts";

/**
 * Buffers of blocks that are stored, for the next ones. New memory for each block costs more than the block's own work: the
 * collector looks through the whole heap for every few dozen megabytes that come from outside of it.
 */
export class BufferPool {
  readonly #free: ArrayBuffer[] = [];
  /** Those given out: nothing else is taken back. */
  readonly #lent = new WeakSet<ArrayBuffer>();
  #freeBytes = 0;

  /** Bytes that wait to be used again. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** A buffer of that length; what is in it is not cleared. */
  take(bytes: number): Uint8Array {
    if (bytes < MIN_POOLED_BYTES) return new Uint8Array(bytes);
    const index = this.#free.findLastIndex(buffer => buffer.byteLength >= bytes);
    const [found] = index === -1 ? [] : this.#free.splice(index, 1);
    if (found !== undefined) this.#freeBytes -= found.byteLength;
    const buffer = found ?? new ArrayBuffer(bytes);
    this.#lent.add(buffer);
    return new Uint8Array(buffer, 0, bytes);
  }

  /** Takes back a buffer that nobody uses any more. */
  give(buffer: ArrayBufferLike): void {
    if (!(buffer instanceof ArrayBuffer) || !this.#lent.delete(buffer)) return;
    if (this.#freeBytes + buffer.byteLength > MAX_POOLED_BYTES) return;
    this.#free.push(buffer);
    this.#freeBytes += buffer.byteLength;
  }
}
