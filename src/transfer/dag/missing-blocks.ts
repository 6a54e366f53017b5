import {
  itemBytes,
  MAX_BITMAP_BYTES,
  MAX_CID_BYTES,
  type RequestItem,
  TO_END,
} from "@cidcast/protocols/content";
import type { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError } from "../../core/index.ts";
import { MAX_DAG_DEPTH } from "../limits.ts";
import type { TransferBlocks, TransferWant } from "../types.ts";
import {
  type ByteRange,
  childrenIn,
  inlineBlock,
  linksOf,
  mayHaveLinks,
  type NodeLinks,
  rangeOfChild,
} from "./node-links.ts";
import { Visited } from "./visited.ts";

/** Room left in a request for the items of the nodes being visited when it is full: one per level, and its fixed fields. */
const ITEM_RESERVE_BYTES = 16 * (MAX_BITMAP_BYTES + MAX_CID_BYTES);

/** What is not here of a want. */
export interface MissingBlocks {
  /** Asks for exactly what is missing, as long as the parents of every held block are held. */
  readonly items: readonly RequestItem[];
  /** Blocks of the want that are here and were looked at. */
  readonly heldBlocks: number;
  /** False when `maxItems` cut the list: there is more to ask for afterwards. */
  readonly all: boolean;
}

export interface MissingOptions extends AbortOptions {
  readonly maxItems: number;
  /** Most bytes the items may take in a request. */
  readonly maxBytes: number;
}

/** Finds out what is missing of a want: reads the nodes that are here, looks for the leaves. */
export async function missingBlocks(
  blocks: TransferBlocks,
  want: TransferWant,
  options: MissingOptions,
): Promise<MissingBlocks> {
  const search = new Search(blocks, options);
  await search.visit(want.root, { start: want.start ?? 0, end: want.end ?? TO_END }, 0);
  return { items: search.items, heldBlocks: search.heldBlocks, all: !search.full };
}

class Search {
  readonly #blocks: TransferBlocks;
  readonly #options: MissingOptions;
  readonly items: RequestItem[] = [];
  readonly #visited = new Visited();
  heldBlocks = 0;
  #bytes = 0;

  constructor(blocks: TransferBlocks, options: MissingOptions) {
    this.#blocks = blocks;
    this.#options = options;
  }

  get full(): boolean {
    return (
      this.items.length >= this.#options.maxItems || this.#bytes > this.#options.maxBytes - ITEM_RESERVE_BYTES
    );
  }

  async visit(cid: CID, range: ByteRange, depth: number): Promise<void> {
    this.#options.signal?.throwIfAborted();
    if (depth > MAX_DAG_DEPTH)
      throw new CidcastError("CORRUPT_DAG", `The DAG is deeper than ${MAX_DAG_DEPTH}`);
    if (!this.#visited.enter(cid, range)) return;
    const node = await this.#node(cid);
    if (node === undefined) {
      if (mayHaveLinks(cid)) this.#add({ kind: "subtree", cid: cid.bytes, ...range });
      else this.#add({ kind: "block", cid: cid.bytes });
      return;
    }
    const { first, last } = childrenIn(node, range);
    const wanted = new Uint8Array(Math.ceil(node.links.length / 8));
    let missingLeaves = 0;
    for (let i = first; i <= last && !this.full; i++) {
      const child = node.links[i];
      if (child === undefined) continue;
      if (mayHaveLinks(child)) {
        await this.visit(child, rangeOfChild(node, i, range), depth + 1);
      } else if (inlineBlock(child) === undefined && !(await this.#blocks.has(child))) {
        wanted[i >> 3] = (wanted[i >> 3] ?? 0) | (1 << (i & 7));
        missingLeaves++;
      } else {
        this.heldBlocks++;
      }
    }
    if (missingLeaves > 0) this.#add({ kind: "children", cid: cid.bytes, bitmap: wanted });
  }

  #add(item: RequestItem): void {
    this.items.push(item);
    this.#bytes += itemBytes(item);
  }

  /** The links of a block that is here; undefined when it is not. */
  async #node(cid: CID): Promise<NodeLinks | undefined> {
    const inline = inlineBlock(cid);
    if (inline !== undefined) return linksOf(cid, inline);
    if (!mayHaveLinks(cid)) {
      if (!(await this.#blocks.has(cid))) return undefined;
      this.heldBlocks++;
      return linksOf(cid, new Uint8Array());
    }
    const bytes = await this.#blocks.get(cid);
    if (bytes === undefined) return undefined;
    this.heldBlocks++;
    return linksOf(cid, bytes);
  }
}
