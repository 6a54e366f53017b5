import fs from "node:fs/promises";
import { CidcastError } from "../../../core/index.ts";
import type { FileIo } from "../file-io.ts";
import { type BlockKeyBytes, BlockTable } from "./block-table.ts";
import type { IndexRecord } from "./index-records.ts";
import { PackFile, packNames } from "./pack-file.ts";

/** The packs of a directory and the table of what is in them. Not locked: whoever writes takes turns. */
export class PackDirectory {
  readonly table = new BlockTable();
  readonly #directory: string;
  readonly #io: FileIo;
  readonly #packs = new Map<number, PackFile>();
  #active: PackFile | undefined;
  #bytes = 0;

  constructor(directory: string, io: FileIo) {
    this.#directory = directory;
    this.#io = io;
  }

  /** Bytes of the blocks in the table. */
  get bytes(): number {
    return this.#bytes;
  }

  get packs(): readonly PackFile[] {
    return [...this.#packs.values()];
  }

  /** The pack that is written to. */
  get active(): PackFile {
    if (this.#active === undefined) throw new CidcastError("CONFLICT", "The block store is not open");
    return this.#active;
  }

  async open(): Promise<void> {
    await fs.mkdir(this.#directory, { recursive: true });
    const names = await fs.readdir(this.#directory);
    const ids = names.flatMap(name => /^(\d{8})\.car$/.exec(name)?.[1] ?? []).map(Number);
    const known = new Set(ids);
    for (const name of names) {
      const id = /^(\d{8})\.idx$/.exec(name)?.[1];
      // A pack that was removed while the process died between its two files.
      if (id !== undefined && !known.has(Number(id)))
        await fs.rm(packNames(this.#directory, Number(id)).index);
    }
    for (const id of ids.toSorted((a, b) => a - b)) this.#active = await this.#openPack(id);
    if (this.#active === undefined) await this.roll();
  }

  /** Begins a new pack. */
  async roll(): Promise<void> {
    this.#active = await this.#openPack(Math.max(0, ...this.#packs.keys()) + 1);
  }

  pack(id: number): PackFile | undefined {
    return this.#packs.get(id);
  }

  /** Takes up a block that was written, or lies elsewhere now. Gives back its slot. */
  place(packId: number, record: IndexRecord): number {
    const { key, offset, length } = record;
    const slot = this.table.find(key);
    if (slot < 0) {
      this.#bytes += length;
      return this.table.insert(key, packId, offset, length);
    }
    this.#leave(slot);
    this.#bytes += length - this.table.length(slot);
    this.table.place(slot, packId, offset, length);
    return slot;
  }

  /** Takes a block out of the table. Gives back what to note in its pack. */
  take(slot: number): { readonly pack: number; readonly record: IndexRecord } {
    const record = { ...this.recordOf(slot), removed: true };
    const pack = this.table.pack(slot);
    this.#leave(slot);
    this.#bytes -= record.length;
    this.table.remove(slot);
    return { pack, record };
  }

  /** True when the block lies at this place and nowhere else. */
  isAt(key: BlockKeyBytes, packId: number, offset: number): boolean {
    const slot = this.table.find(key);
    return slot >= 0 && this.table.pack(slot) === packId && this.table.offset(slot) === offset;
  }

  recordOf(slot: number): IndexRecord {
    const { table } = this;
    return { key: table.key(slot), offset: table.offset(slot), length: table.length(slot), removed: false };
  }

  /** Deletes a pack in which nothing is left. */
  async drop(pack: PackFile): Promise<void> {
    this.#packs.delete(pack.id);
    const names = packNames(this.#directory, pack.id);
    // The pack goes first: an index without a pack is nothing, a pack without an index would be read again.
    await fs.rm(names.car, { force: true });
    await fs.rm(names.index, { force: true });
    await pack.close();
  }

  async close(): Promise<void> {
    const packs = this.packs;
    this.#packs.clear();
    this.#active = undefined;
    await Promise.all(packs.map(pack => pack.close()));
  }

  async #openPack(id: number): Promise<PackFile> {
    const seen: IndexRecord[] = [];
    const pack = await PackFile.open(this.#directory, id, this.#io, record => seen.push(record));
    this.#packs.set(id, pack);
    for (const record of seen) {
      if (!record.removed) {
        pack.liveBlocks++;
        this.place(id, record);
      } else if (this.isAt(record.key, id, record.offset)) {
        this.take(this.table.find(record.key));
      }
    }
    return pack;
  }

  #leave(slot: number): void {
    const pack = this.#packs.get(this.table.pack(slot));
    if (pack === undefined) return;
    pack.liveBlocks--;
    pack.deadBytes += this.table.length(slot);
  }
}
