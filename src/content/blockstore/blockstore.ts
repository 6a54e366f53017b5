import type { CID } from "multiformats/cid";
import type { AbortOptions } from "../../core/index.ts";

/** How hard a write is pushed to the disk: `process` survives a kill, `full` a power cut too, at an fsync per batch. */
export type BlockDurability = "process" | "full";

/** A set of blocks of one store, as small as the store can keep it. */
export interface BlockSet {
  /** Adds a block; false when it is in already, or not in the store. */
  add(cid: CID): boolean;
  has(cid: CID): boolean;
}

/** While it is open, blocks put (also those that were there before) are kept by {@link Blockstore.sweep}. */
export interface BlockGuard extends Disposable {
  release(): void;
}

/** What a sweep took away. */
export interface SweepResult {
  readonly removedBlocks: number;
  readonly freedBytes: number;
}

/**
 * Where blocks are kept, by multihash. What comes out was hashed: each block at least once in the life of the
 * process since it was last written. Identity CIDs are never stored: they are their own block.
 */
export interface Blockstore {
  open(): Promise<void>;
  /** Waits for what is being written and closes. Idempotent. */
  close(): Promise<void>;
  /** True when the block is here, written or on its way to the disk. */
  has(cid: CID): boolean | Promise<boolean>;
  /** The verified block, not to be changed; undefined when it is not here; `CORRUPT_BLOCK` when its bytes do not match. */
  get(cid: CID, options?: AbortOptions): Promise<Uint8Array | undefined>;
  /**
   * Keeps a block whose bytes the caller has checked; they must not be changed afterwards. Resolves when the block
   * survives what the durability promises. `STORAGE_FULL`, `STORAGE_FAILED`: the block is not here.
   */
  put(cid: CID, bytes: Uint8Array): Promise<void>;
  /** As `put`, for bytes that are to be used again: true when nobody was given them meanwhile. */
  putLent?(cid: CID, bytes: Uint8Array): Promise<boolean>;
  /** Protects a block as putting it again would; false when it is not here. */
  touch(cid: CID): boolean | Promise<boolean>;
  /** Takes a block away; false when it was not here. */
  delete(cid: CID): Promise<boolean>;
  /** Protects what is put from now on. */
  guard(): BlockGuard;
  newSet(): BlockSet;
  /**
   * Takes away every block that is not in `keep` and was not put under a guard that is open, or was open when `since`
   * was. `beforeBatch` runs before each batch of removals: what it adds to `keep` is kept.
   */
  sweep(keep: BlockSet, options: SweepOptions): Promise<SweepResult>;
  /** Gives the room of removed blocks back to the disk. A kill at any moment loses nothing. */
  compact(options?: AbortOptions): Promise<void>;
  /** Blocks and their bytes. */
  usage(): Promise<{ readonly blocks: number; readonly bytes: number }>;
}

export interface SweepOptions extends AbortOptions {
  /** A guard opened before `keep` was begun. */
  readonly since: BlockGuard;
  readonly beforeBatch?: () => Promise<void>;
}
