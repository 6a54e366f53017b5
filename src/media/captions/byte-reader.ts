import { type AbortOptions, CidcastError } from "../../core/index.ts";
import type { ContentFile } from "../../content/index.ts";
import { CAPTIONS_MAX_READ_BYTES } from "../limits.ts";

/** Bytes that are read at a time: headers lie close together. */
const WINDOW_BYTES = 64 * 1024;

/** Reads a file here and there, a window at a time, up to a limit. */
export class ByteReader {
  readonly file: ContentFile;
  readonly #options: AbortOptions;
  #left = CAPTIONS_MAX_READ_BYTES;
  #from = 0;
  #window: Uint8Array = new Uint8Array();

  constructor(file: ContentFile, options: AbortOptions) {
    this.file = file;
    this.#options = options;
  }

  /** The bytes of a range, fewer at the end of the file. `LIMIT_REACHED` when finding text takes too much reading. */
  async read(from: number, length: number): Promise<Uint8Array> {
    const to = Math.min(this.file.size, from + length);
    if (from >= to) return new Uint8Array();
    if (from < this.#from || to > this.#from + this.#window.length) {
      const end = Math.min(this.file.size, Math.max(to, from + WINDOW_BYTES));
      this.#left -= end - from;
      if (this.#left < 0) {
        throw new CidcastError(
          "LIMIT_REACHED",
          `Finding the text in ${this.file.cid} takes too much reading`,
        );
      }
      this.#window = await this.file.read(from, end, this.#options);
      this.#from = from;
    }
    return this.#window.subarray(from - this.#from, to - this.#from);
  }

  async view(from: number, length: number): Promise<DataView | undefined> {
    const bytes = await this.read(from, length);
    if (bytes.length < length) return undefined;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}
