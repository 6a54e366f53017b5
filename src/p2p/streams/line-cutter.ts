const NEWLINE = 0x0a;

/** Cuts bytes into lines of UTF-8, each at most so many bytes. */
export class LineCutter {
  readonly #maxBytes: number;
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  #tooLong = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A line had more bytes than it may: nothing is cut any more. */
  get tooLong(): boolean {
    return this.#tooLong;
  }

  /** The lines that end in `chunk`; what is left waits for the next one. */
  *cut(chunk: Uint8Array): Generator<string> {
    let from = 0;
    while (!this.#tooLong) {
      const at = chunk.indexOf(NEWLINE, from);
      const piece = chunk.subarray(from, at < 0 ? chunk.length : at);
      this.#restBytes += piece.byteLength;
      this.#tooLong = this.#restBytes > this.#maxBytes;
      this.#rest.push(piece);
      if (at < 0 || this.#tooLong) return;
      yield Buffer.concat(this.#rest).toString("utf8");
      this.#rest = [];
      this.#restBytes = 0;
      from = at + 1;
    }
  }
}
