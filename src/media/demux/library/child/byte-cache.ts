/** Bytes of one piece: what one read of the file brings. */
const PIECE_BYTES = 256 * 1024;

/** Pieces kept for all readers of the file. */
const MAX_PIECES = 32;

/** The file as pieces that are asked for once, however many read them. */
export class ByteCache {
  readonly size: number;
  readonly #fetch: (start: number, end: number) => Promise<Buffer>;
  readonly #pieces = new Map<number, Promise<Buffer>>();

  constructor(size: number, fetch: (start: number, end: number) => Promise<Buffer>) {
    this.size = size;
    this.#fetch = fetch;
  }

  /** Bytes from `start` on: at least one, at most `maxBytes`. Empty at the end of the file. */
  async read(start: number, maxBytes: number): Promise<Buffer> {
    if (start >= this.size) return Buffer.alloc(0);
    const number = Math.floor(start / PIECE_BYTES);
    const piece = await this.#piece(number);
    const from = start - number * PIECE_BYTES;
    return piece.subarray(from, from + maxBytes);
  }

  #piece(number: number): Promise<Buffer> {
    let piece = this.#pieces.get(number);
    this.#pieces.delete(number);
    piece ??= this.#fetch(number * PIECE_BYTES, Math.min((number + 1) * PIECE_BYTES, this.size));
    this.#pieces.set(number, piece);
    // A piece that could not be had is asked for again.
    piece.catch(() => this.#pieces.delete(number));
    if (this.#pieces.size > MAX_PIECES) this.#pieces.delete(this.#pieces.keys().next().value ?? number);
    return piece;
  }
}
