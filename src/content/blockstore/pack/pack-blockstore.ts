import { setImmediate } from "node:timers/promises";
import type { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError } from "../../../core/index.ts";
import { blockKey, IDENTITY } from "../../dag/cid.ts";
import { verifyBlock } from "../../dag/hash.ts";
import { MAX_BLOCK_BYTES } from "../../limits.ts";
import type {
  BlockDurability,
  BlockGuard,
  BlockSet,
  Blockstore,
  SweepOptions,
  SweepResult,
} from "../blockstore.ts";
import { type FileIo, nodeFileIo, storageError } from "../file-io.ts";
import { Guards } from "../guards.ts";
import { Mutex } from "../mutex.ts";
import { keyOf } from "./block-table.ts";
import { compactPack } from "./compact.ts";
import type { IndexRecord } from "./index-records.ts";
import { PackDirectory } from "./pack-directory.ts";
import type { PackEntry } from "./pack-file.ts";
import { PackSet } from "./pack-set.ts";

/** Largest pack, bytes: what compaction copies at most at a time. Offsets in the index have 32 bits. */
const PACK_MAX_BYTES = 1024 * 1024 * 1024;

/** Bytes written at once. Larger batches gave nothing more. */
const BATCH_BYTES = 4 * 1024 * 1024;

/** Blocks written at once. */
const BATCH_BLOCKS = 256;

/** Share of removed bytes above which a pack is written anew, percent. */
const COMPACT_ABOVE_PERCENT = 30;

/** Slots looked at by a sweep before it lets others run. */
const SWEEP_SLOTS = 4096;

export interface PackBlockstoreInit {
  readonly directory: string;
  readonly durability?: BlockDurability;
  readonly packMaxBytes?: number;
  /** The disk; injected in tests. */
  readonly io?: FileIo;
}

interface PendingBlock extends PackEntry {
  moment: number;
  /** True when a reader was given the very bytes. */
  isShared: boolean;
  readonly written: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Blocks in append-only packs (CARv1) with an index each: written in batches, found through a table in memory. */
export class PackBlockstore implements Blockstore {
  readonly #sync: boolean;
  readonly #packMaxBytes: number;
  readonly #directory: PackDirectory;
  readonly #guards = new Guards();
  /** Whoever appends to a pack or its index holds it. */
  readonly #writing = new Mutex();
  readonly #pending = new Map<string, PendingBlock>();
  #queue: PendingBlock[] = [];
  #flushing: Promise<void> | undefined;
  #open: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(init: PackBlockstoreInit) {
    this.#sync = init.durability === "full";
    this.#packMaxBytes = Math.min(init.packMaxBytes ?? PACK_MAX_BYTES, PACK_MAX_BYTES);
    this.#directory = new PackDirectory(init.directory, init.io ?? nodeFileIo);
  }

  open(): Promise<void> {
    this.#open ??= this.#openPacks();
    return this.#open;
  }

  close(): Promise<void> {
    this.#closed ??= this.#closePacks();
    return this.#closed;
  }

  has(cid: CID): boolean {
    return (
      cid.multihash.code === IDENTITY ||
      this.#directory.table.find(keyOf(cid)) >= 0 ||
      this.#pending.has(blockKey(cid))
    );
  }

  async get(cid: CID, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    if (cid.multihash.code === IDENTITY) return cid.multihash.digest;
    const { table } = this.#directory;
    const key = keyOf(cid);
    const slot = table.find(key);
    if (slot < 0) return this.#share(this.#pending.get(blockKey(cid)));
    const pack = this.#directory.pack(table.pack(slot));
    if (pack === undefined) throw new CidcastError("SHUTTING_DOWN", "The block store is closed");
    const offset = table.offset(slot);
    const verified = table.isVerified(slot);
    let bytes: Uint8Array | undefined;
    try {
      bytes = await pack.read(offset, table.length(slot));
    } catch (cause) {
      throw storageError(`${cid.toString()} cannot be read`, cause);
    }
    // Hashing is what a block costs most: not for somebody who has gone.
    options.signal?.throwIfAborted();
    // A pack that ends before the block is as damaged as one whose bytes are wrong.
    if (!verified || bytes === undefined) verifyBlock(cid, bytes ?? new Uint8Array(0));
    // It may have been removed or moved meanwhile: then these bytes say nothing about the slot.
    if (!verified && this.#directory.isAt(key, pack.id, offset)) table.setVerified(table.find(key));
    return bytes;
  }

  async putLent(cid: CID, bytes: Uint8Array): Promise<boolean> {
    const written = this.put(cid, bytes);
    const pending = this.#pending.get(blockKey(cid));
    await written;
    return pending?.bytes !== bytes || !pending.isShared;
  }

  #share(pending: PendingBlock | undefined): Uint8Array | undefined {
    if (pending !== undefined) pending.isShared = true;
    return pending?.bytes;
  }

  put(cid: CID, bytes: Uint8Array): Promise<void> {
    if (cid.multihash.code === IDENTITY) return Promise.resolve();
    if (this.#closed !== undefined) {
      return Promise.reject(new CidcastError("SHUTTING_DOWN", "The block store is closed"));
    }
    if (bytes.byteLength > MAX_BLOCK_BYTES) {
      const message = `A block of ${bytes.byteLength} bytes is too large`;
      return Promise.reject(new CidcastError("PAYLOAD_TOO_LARGE", message));
    }
    const moment = this.#guards.tick();
    const name = blockKey(cid);
    const pending = this.#pending.get(name);
    if (pending !== undefined) {
      pending.moment = moment;
      return pending.written;
    }
    const key = keyOf(cid);
    const slot = this.#directory.table.find(key);
    if (slot >= 0) {
      this.#directory.table.touch(slot, moment);
      return Promise.resolve();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const block = { cid, key, bytes, moment, isShared: false, written: promise, resolve, reject };
    this.#pending.set(name, block);
    this.#queue.push(block);
    this.#flushing ??= this.#flush();
    return promise;
  }

  touch(cid: CID): boolean {
    const moment = this.#guards.tick();
    const pending = this.#pending.get(blockKey(cid));
    if (pending !== undefined) pending.moment = moment;
    const slot = this.#directory.table.find(keyOf(cid));
    if (slot >= 0) this.#directory.table.touch(slot, moment);
    return slot >= 0 || pending !== undefined || cid.multihash.code === IDENTITY;
  }

  async delete(cid: CID): Promise<boolean> {
    await this.#pending.get(blockKey(cid))?.written;
    const slot = this.#directory.table.find(keyOf(cid));
    if (slot < 0) return false;
    const { pack, record } = this.#directory.take(slot);
    await this.#note(pack, [record]);
    return true;
  }

  guard(): BlockGuard {
    return this.#guards.open();
  }

  newSet(): BlockSet {
    return new PackSet(this.#directory.table, key => this.#pending.has(key));
  }

  async sweep(keep: BlockSet, options: SweepOptions): Promise<SweepResult> {
    if (!(keep instanceof PackSet)) throw new CidcastError("INTERNAL", "The set belongs to another store");
    const { table } = this.#directory;
    const since = this.#guards.protectedSince(options.since);
    let removedBlocks = 0;
    let freedBytes = 0;
    const limit = table.slotCount;
    for (let from = 0; from < limit; from += SWEEP_SLOTS) {
      await setImmediate();
      options.signal?.throwIfAborted();
      await options.beforeBatch?.();
      const removed = new Map<number, IndexRecord[]>();
      // From here to the end of the loop nothing else runs: what is decided is done.
      for (let slot = from; slot < Math.min(limit, from + SWEEP_SLOTS); slot++) {
        if (!table.isUsed(slot) || table.moment(slot) >= since || keep.hasSlot(slot)) continue;
        const { pack, record } = this.#directory.take(slot);
        removedBlocks++;
        freedBytes += record.length;
        const records = removed.get(pack);
        if (records === undefined) removed.set(pack, [record]);
        else records.push(record);
      }
      for (const [pack, records] of removed) await this.#note(pack, records);
    }
    return { removedBlocks, freedBytes };
  }

  async compact(options: AbortOptions = {}): Promise<void> {
    const worth = this.#directory.packs
      .filter(pack => pack.deadBytes > 0 && pack.deadBytes * 100 >= pack.end * COMPACT_ABOVE_PERCENT)
      .toSorted((a, b) => a.end - a.deadBytes - (b.end - b.deadBytes));
    for (const pack of worth) {
      options.signal?.throwIfAborted();
      if (pack === this.#directory.active) await this.#write(() => this.#directory.roll());
      await compactPack(pack, {
        directory: this.#directory,
        batchBytes: BATCH_BYTES,
        append: (entries, accept) => this.#write(() => this.#append(entries, accept)),
        signal: options.signal,
      });
    }
  }

  async usage(): Promise<{ readonly blocks: number; readonly bytes: number }> {
    return { blocks: this.#directory.table.size, bytes: this.#directory.bytes };
  }

  async #openPacks(): Promise<void> {
    try {
      await this.#directory.open();
      if (this.#sync) await this.#directory.active.sync();
    } catch (cause) {
      await this.#directory.close();
      throw storageError("The block store cannot be opened", cause);
    }
  }

  async #closePacks(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
    await this.#writing.run(() => this.#directory.close());
  }

  /** Notes removals in the pack's index. */
  async #note(packId: number, records: readonly IndexRecord[]): Promise<void> {
    try {
      await this.#writing.run(async () => this.#directory.pack(packId)?.remove(records));
    } catch {
      // Without the note the blocks are there again after a restart, and the next collection takes them: a full
      // disk must not keep a collection from making room.
    }
  }

  #write<T>(work: () => Promise<T>): Promise<T> {
    return this.#writing.run(async () => {
      try {
        return await work();
      } catch (cause) {
        throw storageError("A block cannot be written", cause);
      }
    });
  }

  async #flush(): Promise<void> {
    // Blocks put in the same turn go together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      try {
        const slots = await this.#write(() => this.#append(batch));
        for (const [i, block] of batch.entries()) this.#directory.table.touch(slots[i] ?? -1, block.moment);
        for (const block of batch) this.#pending.delete(blockKey(block.cid));
        for (const block of batch) block.resolve();
      } catch (error) {
        for (const block of batch) this.#pending.delete(blockKey(block.cid));
        for (const block of batch) block.reject(error);
      }
    }
    this.#flushing = undefined;
  }

  #takeBatch(): PendingBlock[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && count < BATCH_BLOCKS && bytes < BATCH_BYTES) {
      bytes += this.#queue[count]?.bytes.byteLength ?? 0;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** Writes blocks to the active pack and takes those up that are still wanted then. Only with the lock. */
  async #append(
    entries: readonly PackEntry[],
    accept: (entry: PackEntry) => boolean = () => true,
  ): Promise<number[]> {
    const { active } = this.#directory;
    if (active.damaged || active.end >= this.#packMaxBytes) await this.#directory.roll();
    const pack = this.#directory.active;
    const records = await pack.append(entries, this.#sync);
    this.#directory.table.reuseSlots = !this.#guards.anyOpen;
    return records.map((record, i) => {
      const entry = entries[i];
      if (entry !== undefined && accept(entry)) return this.#directory.place(pack.id, record);
      pack.liveBlocks--;
      pack.deadBytes += record.length;
      return -1;
    });
  }
}
