import type { CID } from "multiformats/cid";
import type { AbortOptions } from "../../core/index.ts";
import { blockKey, RAW } from "../dag/cid.ts";
import { NODE_CACHE_BYTES, NODE_CACHE_ENTRIES } from "../limits.ts";
import { decodeNode, type UnixFsNode } from "./node.ts";

/** What readers need of whoever holds the blocks. */
export interface BlockSource {
  /** The verified block. Rejects with `CONTENT_NOT_FOUND` when it is nowhere. */
  block(cid: CID, options?: BlockOptions): Promise<Uint8Array>;
  /** Throws when the block may not be read now, however often it was before. */
  allow?(cid: CID): void;
}

export interface BlockOptions extends AbortOptions {
  /** CID of what is being read. */
  readonly root?: string | undefined;
}

/** Decoded nodes that have links, the longest unused dropped first. */
export class NodeCache {
  readonly #blocks: BlockSource;
  readonly #nodes = new Map<string, { readonly node: UnixFsNode; readonly bytes: number }>();
  #bytes = 0;

  constructor(blocks: BlockSource) {
    this.#blocks = blocks;
  }

  /** Nodes kept, and their bytes before decoding. */
  get usage(): { readonly nodes: number; readonly bytes: number } {
    return { nodes: this.#nodes.size, bytes: this.#bytes };
  }

  /** The node of a CID; for a leaf, its data is the block's. */
  async load(cid: CID, options: BlockOptions = {}): Promise<UnixFsNode> {
    const key = cid.code === RAW ? undefined : blockKey(cid);
    const known = key === undefined ? undefined : this.#nodes.get(key);
    if (known !== undefined && key !== undefined) {
      this.#blocks.allow?.(cid);
      this.#nodes.delete(key);
      this.#nodes.set(key, known);
      return known.node;
    }
    const bytes = await this.#blocks.block(cid, options);
    const node = decodeNode(cid, bytes);
    if (key !== undefined && node.links.length > 0) this.#keep(key, node, bytes.byteLength);
    return node;
  }

  #keep(key: string, node: UnixFsNode, bytes: number): void {
    if (this.#nodes.has(key)) return;
    this.#nodes.set(key, { node, bytes });
    this.#bytes += bytes;
    for (const [oldest, old] of this.#nodes) {
      const full = this.#nodes.size > NODE_CACHE_ENTRIES || this.#bytes > NODE_CACHE_BYTES;
      if (!full || oldest === key) break;
      this.#nodes.delete(oldest);
      this.#bytes -= old.bytes;
    }
  }
}
