import fs from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CID } from "multiformats/cid";
import { isBlockOf } from "../../dag/hash.ts";
import { type FileIo, readExactly, readUpTo } from "../file-io.ts";
import { CAR_HEADER, ENTRY_HEAD_BYTES, entryHead, readEntryHead } from "./car.ts";
import {
  decodeRecords,
  encodeRecords,
  INDEX_MAGIC,
  type IndexRecord,
  RECORD_BYTES,
} from "./index-records.ts";
import { type BlockKeyBytes, keyOf } from "./block-table.ts";

/** A block on its way into a pack. */
export interface PackEntry {
  readonly cid: CID;
  readonly key: BlockKeyBytes;
  readonly bytes: Uint8Array;
}

/** A block found in a pack. */
export interface FoundEntry {
  readonly cid: CID;
  readonly offset: number;
  readonly length: number;
}

// Plain descriptors: a FileHandle that is forgotten ends the process.
const openFile = promisify(fs.open);
const closeFile = promisify(fs.close);
const statFile = promisify(fs.fstat);

/** Opens a file for reading and writing, made where it is new. */
async function openOrMake(path: string): Promise<number> {
  return openFile(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
}

/** File names of pack number `id`. */
export function packNames(directory: string, id: number): { readonly car: string; readonly index: string } {
  const name = String(id).padStart(8, "0");
  return { car: join(directory, `${name}.car`), index: join(directory, `${name}.idx`) };
}

/**
 * One append-only file of blocks, a valid CARv1, and its append-only index. A block counts once its index record is
 * written; what stands in the pack behind the last record is hashed again on opening, and cut off where it is torn.
 */
export class PackFile {
  readonly id: number;
  readonly #car: number;
  readonly #index: number;
  readonly #io: FileIo;
  #end: number;
  #indexEnd: number;
  /** An append failed and could not be undone: nothing more is appended. */
  #damaged = false;
  #readers = 0;
  #closing: PromiseWithResolvers<void> | undefined;
  /** Bytes of entries whose blocks were removed or moved. */
  deadBytes = 0;
  liveBlocks = 0;

  private constructor(id: number, io: FileIo, car: number, index: number) {
    this.id = id;
    this.#io = io;
    this.#car = car;
    this.#index = index;
    this.#end = 0;
    this.#indexEnd = 0;
  }

  /** Opens or makes a pack. `onRecord` hears of each block in it, in order, those found behind the index too. */
  static async open(
    directory: string,
    id: number,
    io: FileIo,
    onRecord: (record: IndexRecord) => void,
  ): Promise<PackFile> {
    const names = packNames(directory, id);
    const car = await openOrMake(names.car);
    let index: number | undefined;
    try {
      index = await openOrMake(names.index);
      const pack = new PackFile(id, io, car, index);
      await pack.#recover(onRecord);
      return pack;
    } catch (error) {
      await closeFile(car);
      if (index !== undefined) await closeFile(index);
      throw error;
    }
  }

  /** Length of the pack, bytes. */
  get end(): number {
    return this.#end;
  }

  get damaged(): boolean {
    return this.#damaged;
  }

  /** Appends blocks: all or none. With `sync`, they survive a power cut. Gives back where each block begins. */
  async append(entries: readonly PackEntry[], sync: boolean): Promise<IndexRecord[]> {
    const buffers: Uint8Array[] = [];
    const records: IndexRecord[] = [];
    let at = this.#end;
    for (const { cid, key, bytes } of entries) {
      const head = entryHead(cid, bytes.byteLength);
      buffers.push(head, bytes);
      records.push({ key, offset: at + head.byteLength, length: bytes.byteLength, removed: false });
      at += head.byteLength + bytes.byteLength;
    }
    try {
      await this.#io.write(this.#car, buffers, this.#end);
      // The index can be made again from the pack, so the pack alone has to reach the disk.
      if (sync) await this.#io.sync(this.#car);
      await this.#appendIndex(records);
    } catch (error) {
      await this.#undo();
      throw error;
    }
    this.#end = at;
    this.liveBlocks += records.length;
    return records;
  }

  /** Notes that blocks are no longer here. */
  async remove(records: readonly IndexRecord[]): Promise<void> {
    try {
      await this.#appendIndex(records.map(record => ({ ...record, removed: true })));
    } catch (error) {
      await this.#undo();
      throw error;
    }
  }

  /** The bytes of a block; undefined when the file is shorter. */
  async read(offset: number, length: number): Promise<Buffer | undefined> {
    this.#readers++;
    try {
      return await readExactly(this.#car, offset, length);
    } finally {
      this.#readers--;
      if (this.#readers === 0) this.#closing?.resolve();
    }
  }

  /** Every entry of the pack, in order, those removed too. */
  async *entries(): AsyncGenerator<FoundEntry> {
    for (let at = CAR_HEADER.length; at < this.#end; ) {
      const found = await this.#entryAt(at, this.#end);
      if (found === undefined) return;
      yield found;
      at = found.offset + found.length;
    }
  }

  sync(): Promise<void> {
    return this.#io.sync(this.#car);
  }

  /** Closes once nobody reads any more. */
  async close(): Promise<void> {
    if (this.#readers > 0) {
      this.#closing ??= Promise.withResolvers<void>();
      await this.#closing.promise;
    }
    await Promise.all([closeFile(this.#car), closeFile(this.#index)]);
  }

  async #appendIndex(records: readonly IndexRecord[]): Promise<void> {
    const bytes = encodeRecords(records);
    await this.#io.write(this.#index, [bytes], this.#indexEnd);
    this.#indexEnd += bytes.byteLength;
  }

  /** Takes a failed append back, so that the next one follows the last good block. */
  async #undo(): Promise<void> {
    try {
      await this.#io.truncate(this.#index, this.#indexEnd);
      await this.#io.truncate(this.#car, this.#end);
    } catch {
      // The append's own error goes to the caller; the pack takes no more, and opening it again repairs it.
      this.#damaged = true;
    }
  }

  async #entryAt(at: number, limit: number): Promise<FoundEntry | undefined> {
    const head = readEntryHead(await readUpTo(this.#car, at, Math.min(ENTRY_HEAD_BYTES, limit - at)));
    if (head === undefined || at + head.headLength + head.blockLength > limit) return undefined;
    return { cid: head.cid, offset: at + head.headLength, length: head.blockLength };
  }

  async #recover(onRecord: (record: IndexRecord) => void): Promise<void> {
    const size = (await statFile(this.#car)).size;
    const limit = Math.max(size, CAR_HEADER.length);
    if (size < CAR_HEADER.length || !CAR_HEADER.equals(await readUpTo(this.#car, 0, CAR_HEADER.length))) {
      // Never written to, or damaged in bytes that are always the same.
      await this.#io.write(this.#car, [CAR_HEADER], 0);
    }
    this.#end = CAR_HEADER.length;
    const recordsEnd = await this.#readIndex(limit, onRecord);
    const tail = await this.#scanTail(limit);
    if (this.#end < limit) await this.#io.truncate(this.#car, this.#end);
    this.#indexEnd = Math.max(recordsEnd, INDEX_MAGIC.length);
    const indexSize = (await statFile(this.#index)).size;
    if (indexSize > this.#indexEnd) await this.#io.truncate(this.#index, this.#indexEnd);
    if (recordsEnd === 0) await this.#io.write(this.#index, [INDEX_MAGIC], 0);
    if (tail.length > 0) await this.#appendIndex(tail);
    for (const record of tail) onRecord(record);
  }

  /** Tells of the records that are whole; gives back where they end in the index, 0 when it has to be made anew. */
  async #readIndex(limit: number, onRecord: (record: IndexRecord) => void): Promise<number> {
    const bytes = await readUpTo(this.#index, 0, (await statFile(this.#index)).size);
    let end = bytes.subarray(0, INDEX_MAGIC.length).equals(INDEX_MAGIC) ? INDEX_MAGIC.length : 0;
    for (const record of decodeRecords(bytes)) {
      if (record.offset + record.length > limit) break;
      onRecord(record);
      this.#end = Math.max(this.#end, record.offset + record.length);
      end += RECORD_BYTES;
    }
    return end;
  }

  /** Blocks behind the last record, each hashed; ends where the file is torn. A block that is damaged is passed over. */
  async #scanTail(limit: number): Promise<IndexRecord[]> {
    const records: IndexRecord[] = [];
    for (let at = this.#end; at < limit; ) {
      const found = await this.#entryAt(at, limit);
      if (found === undefined) break;
      at = found.offset + found.length;
      const bytes = await readExactly(this.#car, found.offset, found.length);
      if (bytes === undefined || !isWhole(found.cid, bytes)) continue;
      records.push({ key: keyOf(found.cid), offset: found.offset, length: found.length, removed: false });
      this.#end = at;
    }
    return records;
  }
}

function isWhole(cid: CID, bytes: Uint8Array): boolean {
  try {
    return isBlockOf(cid, bytes);
  } catch {
    // A hash that is not known was never written: these bytes are not an entry.
    return false;
  }
}
