import type { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { blockKey, IDENTITY } from "../dag/cid.ts";
import { verifyBlock } from "../dag/hash.ts";
import { MAX_BLOCK_BYTES } from "../limits.ts";
import type { BlockGuard, BlockSet, Blockstore, SweepOptions, SweepResult } from "./blockstore.ts";
import { Guards } from "./guards.ts";
import { KeySet } from "./key-set.ts";

interface Kept {
  readonly bytes: Uint8Array;
  moment: number;
  verified: boolean;
}

/** Blocks in memory, for as long as the process lives: for tests and tools. */
export class MemoryBlockstore implements Blockstore {
  readonly #blocks = new Map<string, Kept>();
  readonly #guards = new Guards();

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  has(cid: CID): boolean {
    return cid.multihash.code === IDENTITY || this.#blocks.has(blockKey(cid));
  }

  async get(cid: CID): Promise<Uint8Array | undefined> {
    if (cid.multihash.code === IDENTITY) return cid.multihash.digest;
    const kept = this.#blocks.get(blockKey(cid));
    if (kept === undefined) return undefined;
    if (!kept.verified) verifyBlock(cid, kept.bytes);
    kept.verified = true;
    return kept.bytes;
  }

  async put(cid: CID, bytes: Uint8Array): Promise<void> {
    if (cid.multihash.code === IDENTITY) return;
    if (bytes.byteLength > MAX_BLOCK_BYTES) {
      throw new CidcastError("PAYLOAD_TOO_LARGE", `A block of ${bytes.byteLength} bytes is too large`);
    }
    const moment = this.#guards.tick();
    const key = blockKey(cid);
    const kept = this.#blocks.get(key);
    if (kept !== undefined) kept.moment = moment;
    else this.#blocks.set(key, { bytes, moment, verified: false });
  }

  touch(cid: CID): boolean {
    const kept = this.#blocks.get(blockKey(cid));
    if (kept !== undefined) kept.moment = this.#guards.tick();
    return kept !== undefined || cid.multihash.code === IDENTITY;
  }

  async delete(cid: CID): Promise<boolean> {
    return this.#blocks.delete(blockKey(cid));
  }

  guard(): BlockGuard {
    return this.#guards.open();
  }

  newSet(): BlockSet {
    return new KeySet(cid => this.#blocks.has(blockKey(cid)));
  }

  async sweep(keep: BlockSet, options: SweepOptions): Promise<SweepResult> {
    if (!(keep instanceof KeySet)) throw new CidcastError("INTERNAL", "The set belongs to another store");
    options.signal?.throwIfAborted();
    await options.beforeBatch?.();
    const since = this.#guards.protectedSince(options.since);
    let removedBlocks = 0;
    let freedBytes = 0;
    for (const [key, kept] of this.#blocks) {
      if (keep.hasKey(key) || kept.moment >= since) continue;
      this.#blocks.delete(key);
      removedBlocks++;
      freedBytes += kept.bytes.byteLength;
    }
    return { removedBlocks, freedBytes };
  }

  async compact(): Promise<void> {}

  async usage(): Promise<{ readonly blocks: number; readonly bytes: number }> {
    let bytes = 0;
    for (const kept of this.#blocks.values()) bytes += kept.bytes.byteLength;
    return { blocks: this.#blocks.size, bytes };
  }
}
