import type { RequestItem } from "@cidcast/protocols/content";
import { hash } from "node:crypto";
import { TO_END } from "@cidcast/protocols/content";
import { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { MAX_WANTED_BLOCKS } from "../limits.ts";
import type { TransferBlocks } from "../types.ts";
import {
  type ByteRange,
  childrenIn,
  inlineBlock,
  linksOf,
  mayHaveLinks,
  rangeOfChild,
} from "./node-links.ts";
import { bytesKey, keyOf, Visited } from "./visited.ts";
import { decodeCid } from "./walk.ts";

/** Hash functions by multihash code, as node:crypto calls them. Truncated digests are not taken. */
const HASHES: Readonly<Record<number, string>> = { 0x12: "sha256", 0x13: "sha512" };

const DAG_PB = 0x70;
const SHA2_256 = 0x12;

interface Wanted {
  readonly cid: CID;
  /** Of a node: what is wanted below it. */
  range: ByteRange;
  readonly place: number;
}

/** Which blocks may come: those asked for, and what verified nodes among them link to. Verifies and stores what comes. */
export class WantList {
  readonly #blocks: TransferBlocks;
  readonly #wanted = new Map<string, Wanted>();
  readonly #taken = new Set<string>();
  readonly #missing = new Map<string, CID>();
  readonly #visited = new Visited();
  #added = 0;

  private constructor(blocks: TransferBlocks) {
    this.#blocks = blocks;
  }

  /** The list for a request. */
  static async of(blocks: TransferBlocks, items: readonly RequestItem[]): Promise<WantList> {
    const list = new WantList(blocks);
    for (const item of items) {
      const cid = decodeCid(item.cid);
      if (item.kind === "subtree") await list.#want(cid, item);
      else if (item.kind === "block") await list.#want(cid, { start: 0, end: 0 });
      else await list.#wantChildren(cid, item.bitmap);
    }
    return list;
  }

  /** Blocks that are still to come. */
  get open(): number {
    return this.#wanted.size;
  }

  /** Blocks the source said it lacks. */
  get missing(): readonly CID[] {
    return [...this.#missing.values()];
  }

  /** True when the block may come. */
  isWanted(cidBytes: Uint8Array): boolean {
    return this.#wanted.has(bytesKey(cidBytes));
  }

  /** The name under which a block is waited for, also where it came under another name of the same bytes. */
  wantedName(cid: CID): CID | undefined {
    const names = [cid, cid.version === 0 ? cid.toV1() : v0Of(cid)];
    return names.find(name => name !== undefined && this.isWanted(name.bytes));
  }

  /** A place in the list: what is waited for from now on comes after it. */
  mark(): number {
    return this.#added;
  }

  /** Counts what came after the mark and is still waited for as missing: the source has sent all it has of that. */
  giveUpSince(mark: number): void {
    for (const [key, { cid, place }] of this.#wanted) {
      if (place <= mark) continue;
      this.#missing.set(key, cid);
      this.#wanted.delete(key);
    }
  }

  /**
   * Checks a block and what it links to; gives the promise of its being stored, true when its buffer may be used again.
   * `CORRUPT_BLOCK` when it was not asked for or its bytes are others. Calls must follow each other: a node decides what may come after it.
   */
  async take(cidBytes: Uint8Array, bytes: Uint8Array): Promise<{ cid: CID; stored: Promise<boolean> }> {
    const key = bytesKey(cidBytes);
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) {
      const what = this.#taken.has(key) ? "a second time" : "that was not asked for";
      throw new CidcastError("CORRUPT_BLOCK", `The source sent a block ${what}`);
    }
    const { cid, range } = wanted;
    verify(cid, bytes);
    this.#wanted.delete(key);
    this.#taken.add(key);
    // The block is stored before its children can come, so that every block held has its parents.
    const isNode = mayHaveLinks(cid);
    const stored = this.#store(cid, bytes, isNode);
    stored.catch(() => undefined);
    if (isNode && range.end > range.start) await this.#expand(cid, bytes, range);
    return { cid, stored };
  }

  /** The links of a node are views of its bytes: those are kept. */
  #store(cid: CID, bytes: Uint8Array, isNode: boolean): Promise<boolean> {
    if (!isNode && this.#blocks.lend !== undefined) return this.#blocks.lend(cid, bytes);
    return this.#blocks.put(cid, bytes).then(() => false);
  }

  /** Notes that the source lacks a block. */
  lacks(cidBytes: Uint8Array): void {
    const key = bytesKey(cidBytes);
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) {
      throw new CidcastError("CORRUPT_BLOCK", "The source lacks a block that was not asked for");
    }
    this.#wanted.delete(key);
    this.#missing.set(key, wanted.cid);
  }

  async #want(cid: CID, range: ByteRange): Promise<void> {
    const inline = inlineBlock(cid);
    if (inline !== undefined) {
      await this.#expand(cid, inline, range);
      return;
    }
    const key = keyOf(cid);
    if (this.#missing.has(key)) return;
    if (this.#taken.has(key)) {
      const bytes = mayHaveLinks(cid) ? await this.#blocks.get(cid) : undefined;
      if (bytes !== undefined) await this.#expand(cid, bytes, range);
      return;
    }
    const wanted = this.#wanted.get(key);
    if (wanted !== undefined) {
      const { start, end } = wanted.range;
      wanted.range = { start: Math.min(start, range.start), end: Math.max(end, range.end) };
      return;
    }
    if (this.#wanted.size >= MAX_WANTED_BLOCKS) {
      throw new CidcastError("LIMIT_REACHED", `At most ${MAX_WANTED_BLOCKS} blocks are waited for at once`);
    }
    this.#wanted.set(key, { cid, range, place: ++this.#added });
  }

  async #expand(cid: CID, bytes: Uint8Array, range: ByteRange): Promise<void> {
    if (!this.#visited.enter(cid, range)) return;
    const node = linksOf(cid, bytes);
    const { first, last } = childrenIn(node, range);
    for (let i = first; i <= last; i++) {
      const child = node.links[i];
      if (child !== undefined) await this.#want(child, rangeOfChild(node, i, range));
    }
  }

  async #wantChildren(cid: CID, bitmap: Uint8Array): Promise<void> {
    const bytes = inlineBlock(cid) ?? (await this.#blocks.get(cid));
    if (bytes === undefined) {
      throw new CidcastError(
        "CONTENT_NOT_FOUND",
        `${cid.toString()} is not here, so its children are not known`,
      );
    }
    for (const [i, child] of linksOf(cid, bytes).links.entries()) {
      if (((bitmap[i >> 3] ?? 0) & (1 << (i & 7))) !== 0) await this.#want(child, { start: 0, end: TO_END });
    }
  }
}

function verify(cid: CID, bytes: Uint8Array): void {
  const algorithm = HASHES[cid.multihash.code];
  if (algorithm === undefined) {
    throw new CidcastError(
      "UNSUPPORTED_DAG",
      `${cid.toString()} uses a hash function that is not verified here`,
    );
  }
  const digest = hash(algorithm, bytes, "buffer");
  if (Buffer.compare(digest, cid.multihash.digest) !== 0) {
    throw new CidcastError("CORRUPT_BLOCK", `The bytes sent are not ${cid.toString()}`);
  }
}

function v0Of(cid: CID): CID | undefined {
  const isPossible = cid.code === DAG_PB && cid.multihash.code === SHA2_256;
  return isPossible ? CID.createV0(cid.multihash as Parameters<typeof CID.createV0>[0]) : undefined;
}
