import type { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import {
  MAX_DAG_DEPTH,
  READ_AHEAD_FIRST_BLOCKS,
  READ_AHEAD_MAX_BLOCKS,
  READ_AHEAD_MAX_BYTES,
} from "../limits.ts";
import { childAt, type FileNode } from "./node.ts";
import type { BlockOptions, NodeCache } from "./node-cache.ts";

/** A run of bytes that stand together in one block. */
export interface Leaf {
  /** Where it begins in the file. */
  readonly start: number;
  /** Not to be changed. */
  readonly bytes: Uint8Array;
}

export interface LeafRange extends BlockOptions {
  readonly start: number;
  readonly end: number;
  /** Blocks read ahead before anything was consumed. */
  readonly firstBlocks?: number;
}

/** A part of the file that is still to be walked. */
interface Segment {
  readonly cid: CID;
  readonly start: number;
  /** Unknown for the root alone. */
  readonly size: number | undefined;
  readonly depth: number;
  loading?: Promise<FileNode>;
}

/**
 * The leaves of a file that overlap [start, end), whole and in order. Walks only the nodes on the way. What is read
 * ahead starts small and doubles with each leaf consumed, so that a seek waits for nothing that nobody needs yet.
 */
export async function* readLeaves(nodes: NodeCache, root: CID, range: LeafRange): AsyncGenerator<Leaf> {
  const walk = new Walk(nodes, root, range);
  try {
    while (!walk.done) {
      range.signal?.throwIfAborted();
      const leaf = await walk.next();
      if (leaf === undefined) continue;
      yield leaf;
      walk.widen();
    }
  } finally {
    walk.close();
  }
}

class Walk {
  readonly #nodes: NodeCache;
  readonly #range: LeafRange;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Segments still to come, the next one last. */
  readonly #rest: Segment[];
  #window: number;

  constructor(nodes: NodeCache, root: CID, range: LeafRange) {
    this.#nodes = nodes;
    this.#range = range;
    this.#signal =
      range.signal === undefined ? this.#stop.signal : AbortSignal.any([range.signal, this.#stop.signal]);
    this.#window = range.firstBlocks ?? READ_AHEAD_FIRST_BLOCKS;
    this.#rest = range.end > range.start ? [{ cid: root, start: 0, size: undefined, depth: 0 }] : [];
  }

  get done(): boolean {
    return this.#rest.length === 0;
  }

  /** Allows twice as many blocks ahead: the consumer has come back for more. */
  widen(): void {
    this.#window = Math.min(this.#window * 2, READ_AHEAD_MAX_BLOCKS);
  }

  /** Walks one step on; the leaf when there was one. */
  async next(): Promise<Leaf | undefined> {
    this.#readAhead();
    const segment = this.#rest.pop();
    if (segment === undefined) return undefined;
    const node = await (segment.loading ?? this.#load(segment));
    if (segment.size !== undefined && node.size !== segment.size) {
      throw new CidcastError("CORRUPT_DAG", `${segment.cid.toString()} is not as long as its parent says`);
    }
    this.#descend(node, segment);
    const { start, end } = this.#range;
    const overlaps = segment.start < end && segment.start + node.data.byteLength > start;
    return overlaps ? { start: segment.start, bytes: node.data } : undefined;
  }

  close(): void {
    // At the end of the range nothing is under way, and an abort would cost an error with its stack.
    if (this.#rest.length > 0) this.#stop.abort();
    this.#rest.length = 0;
  }

  #descend(node: FileNode, { start, depth, cid }: Segment): void {
    if (node.links.length === 0) return;
    if (depth >= MAX_DAG_DEPTH) {
      throw new CidcastError("CORRUPT_DAG", `${cid.toString()} lies deeper than ${MAX_DAG_DEPTH} links`);
    }
    const first = childAt(node, this.#range.start - start);
    const last = Math.min(childAt(node, this.#range.end - start - 1), node.links.length - 1);
    for (let i = last; i >= first; i--) {
      const link = node.links[i];
      const from = node.starts[i] ?? 0;
      const size = (node.starts[i + 1] ?? 0) - from;
      if (link === undefined || size === 0) continue;
      this.#rest.push({ cid: link, start: start + from, size, depth: depth + 1 });
    }
  }

  #readAhead(): void {
    let bytes = 0;
    const lowest = Math.max(0, this.#rest.length - this.#window);
    for (let i = this.#rest.length - 1; i >= lowest; i--) {
      const segment = this.#rest[i];
      if (segment === undefined) return;
      if (segment.loading === undefined) {
        if (bytes >= READ_AHEAD_MAX_BYTES) return;
        segment.loading = this.#load(segment);
        // Whoever comes to the segment gets the error; until then it is nobody's.
        segment.loading.catch(() => undefined);
      }
      // Inner nodes are small, and what they span is read by later segments.
      bytes += Math.min(segment.size ?? 0, READ_AHEAD_MAX_BYTES / 2);
    }
  }

  async #load({ cid }: Segment): Promise<FileNode> {
    const node = await this.#nodes.load(cid, { signal: this.#signal, root: this.#range.root });
    if (node.kind !== "file") {
      throw new CidcastError("NOT_A_FILE", `${cid.toString()} is a directory`);
    }
    return node;
  }
}
