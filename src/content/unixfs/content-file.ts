import type { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError, raceSignal } from "../../core/index.ts";
import { FILE_CACHE_BLOCKS, MAX_READ_BYTES } from "../limits.ts";
import type { ContentFile, ContentHold, RangeOptions } from "../types.ts";
import { type Leaf, readLeaves } from "./leaf-reader.ts";
import type { NodeCache } from "./node-cache.ts";

/** An open file on verified blocks. */
export class UnixFsFile implements ContentFile {
  readonly cid: string;
  readonly size: number;
  readonly #root: CID;
  readonly #nodes: NodeCache;
  readonly #hold: ContentHold;
  readonly #closed = new AbortController();
  /** Leaves read last, the newest at the end. */
  #recent: Leaf[] = [];

  private constructor(root: CID, size: number, nodes: NodeCache, hold: ContentHold) {
    this.#root = root;
    this.cid = root.toString();
    this.size = size;
    this.#nodes = nodes;
    this.#hold = hold;
  }

  /** Opens the file of a CID; it takes over the hold. `NOT_A_FILE` for a directory. */
  static async open(
    root: CID,
    nodes: NodeCache,
    hold: ContentHold,
    options: AbortOptions,
  ): Promise<UnixFsFile> {
    const node = await nodes.load(root, { ...options, root: root.toString() });
    if (node.kind !== "file") throw new CidcastError("NOT_A_FILE", `${root.toString()} is a directory`);
    const file = new UnixFsFile(root, node.size, nodes, hold);
    if (node.data.byteLength > 0) file.#remember({ start: 0, bytes: node.data });
    return file;
  }

  async read(start: number, end: number, options: AbortOptions = {}): Promise<Uint8Array> {
    const range = this.#range({ start, end });
    const length = range.end - range.start;
    if (length > MAX_READ_BYTES) {
      throw new CidcastError(
        "LIMIT_REACHED",
        `At most ${MAX_READ_BYTES} bytes are read at once: stream the range`,
      );
    }
    const bytes = new Uint8Array(length);
    let at = range.start;
    while (at < range.end) {
      const leaf = this.#recent.find(leaf => leaf.start <= at && at < leaf.start + leaf.bytes.byteLength);
      at = leaf === undefined ? await this.#readOn(bytes, at, range, options) : copy(leaf, at, range, bytes);
    }
    return bytes;
  }

  async *stream(options: RangeOptions = {}): AsyncGenerator<Uint8Array> {
    const { start, end } = this.#range(options);
    const signal =
      options.signal === undefined
        ? this.#closed.signal
        : AbortSignal.any([options.signal, this.#closed.signal]);
    for await (const leaf of readLeaves(this.#nodes, this.#root, { start, end, signal, root: this.cid })) {
      yield leaf.bytes.subarray(
        Math.max(0, start - leaf.start),
        Math.min(leaf.bytes.byteLength, end - leaf.start),
      );
    }
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new CidcastError("CONFLICT", `${this.cid} is closed`));
    this.#recent = [];
    this.#hold.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Reads from the blocks, from `at` as far as the range goes; gives back where it got to. */
  async #readOn(
    into: Uint8Array,
    at: number,
    range: { readonly start: number; readonly end: number },
    options: AbortOptions,
  ): Promise<number> {
    const signal =
      options.signal === undefined
        ? this.#closed.signal
        : AbortSignal.any([options.signal, this.#closed.signal]);
    const leaves = readLeaves(this.#nodes, this.#root, {
      start: at,
      end: range.end,
      signal,
      root: this.cid,
    });
    let reached = at;
    try {
      for (;;) {
        const { value: leaf, done } = await raceSignal(leaves.next(), signal);
        if (done === true) break;
        this.#remember(leaf);
        reached = copy(leaf, reached, range, into);
      }
    } finally {
      // Not waited for: it ends when the read under way does, and the caller may have left already.
      void leaves.return(undefined).catch(() => undefined);
    }
    if (reached < range.end) throw new CidcastError("CORRUPT_DAG", `${this.cid} ends before its size`);
    return reached;
  }

  #remember(leaf: Leaf): void {
    if (this.#closed.signal.aborted) return;
    this.#recent = this.#recent.filter(known => known.start !== leaf.start);
    this.#recent.push(leaf);
    if (this.#recent.length > FILE_CACHE_BLOCKS) this.#recent.shift();
  }

  #range({ start = 0, end = this.size }: RangeOptions): { readonly start: number; readonly end: number } {
    this.#closed.signal.throwIfAborted();
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
      throw new CidcastError("INVALID_REQUEST", `From ${start} to ${end} is no range of bytes`);
    }
    if (start > this.size) {
      throw new CidcastError("RANGE_NOT_SATISFIABLE", `${this.cid} has ${this.size} bytes only`);
    }
    return { start, end: Math.min(end, this.size) };
  }
}

/** Copies what the leaf has of the range from `at` on; gives back where it ends. */
function copy(
  leaf: Leaf,
  at: number,
  range: { readonly start: number; readonly end: number },
  into: Uint8Array,
): number {
  const end = Math.min(leaf.start + leaf.bytes.byteLength, range.end);
  into.set(leaf.bytes.subarray(at - leaf.start, end - leaf.start), at - range.start);
  return end;
}
