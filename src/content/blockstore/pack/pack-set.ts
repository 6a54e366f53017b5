import type { CID } from "multiformats/cid";
import { blockKey } from "../../dag/cid.ts";
import type { BlockSet } from "../blockstore.ts";
import { type BlockTable, keyOf } from "./block-table.ts";

/** Blocks by slot number: one bit each. */
export class PackSet implements BlockSet {
  readonly #table: BlockTable;
  readonly #isPending: (key: string) => boolean;
  #bits = new Uint8Array(1024);
  /** Blocks that have no slot yet. */
  readonly #pending = new Set<string>();

  constructor(table: BlockTable, isPending: (key: string) => boolean) {
    this.#table = table;
    this.#isPending = isPending;
  }

  add(cid: CID): boolean {
    const slot = this.#table.find(keyOf(cid));
    if (slot >= 0) return this.#addSlot(slot);
    const key = blockKey(cid);
    if (!this.#isPending(key) || this.#pending.has(key)) return false;
    this.#pending.add(key);
    return true;
  }

  has(cid: CID): boolean {
    const slot = this.#table.find(keyOf(cid));
    return (slot >= 0 && this.hasSlot(slot)) || this.#pending.has(blockKey(cid));
  }

  hasSlot(slot: number): boolean {
    return ((this.#bits[slot >> 3] ?? 0) & (1 << (slot & 7))) !== 0;
  }

  #addSlot(slot: number): boolean {
    if (this.hasSlot(slot)) return false;
    const at = slot >> 3;
    if (at >= this.#bits.length) {
      const grown = new Uint8Array(Math.max(at + 1, this.#bits.length * 2));
      grown.set(this.#bits);
      this.#bits = grown;
    }
    this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (slot & 7));
    return true;
  }
}
