import type { CID } from "multiformats/cid";
import { SHA2_256, sha256 } from "../../dag/hash.ts";

/** Slots made at first; doubled when full. */
const INITIAL_SLOTS = 1024;
/** Words of 32 bits in a key. */
const KEY_WORDS = 8;
/** Bytes of a key. */
export const KEY_BYTES = KEY_WORDS * 4;

/** The key is the hash of the multihash: it is not a sha2-256 of its own, and must not be taken for one. */
const FLAG_HASHED = 1;
const FLAG_USED = 2;
const FLAG_VERIFIED = 4;

/** What a block is found under: the digest of sha2-256, or the sha2-256 of any other multihash, marked so. */
export interface BlockKeyBytes {
  readonly bytes: Uint8Array;
  readonly hashed: boolean;
}

/** The key of a CID. */
export function keyOf(cid: CID): BlockKeyBytes {
  const { code, digest, bytes } = cid.multihash;
  if (code === SHA2_256 && digest.byteLength === KEY_BYTES) return { bytes: digest, hashed: false };
  return { bytes: sha256(bytes), hashed: true };
}

/** Where blocks lie, in about 60 bytes each: typed arrays, found by open addressing. A slot keeps its number for the life of its block. */
export class BlockTable {
  #slots = INITIAL_SLOTS;
  #keys = new Uint32Array(INITIAL_SLOTS * KEY_WORDS);
  #flags = new Uint8Array(INITIAL_SLOTS);
  #packs = new Uint32Array(INITIAL_SLOTS);
  #offsets = new Float64Array(INITIAL_SLOTS);
  #lengths = new Uint32Array(INITIAL_SLOTS);
  #moments = new Float64Array(INITIAL_SLOTS);
  /** Slot number + 1 by hash; 0 is free. Always at most half full. */
  #index = new Uint32Array(INITIAL_SLOTS * 2);
  #free: number[] = [];
  #used = 0;
  #size = 0;
  /** False: numbers of removed blocks are not given to others, because somebody remembers blocks by them. */
  reuseSlots = true;
  readonly #words = new Uint32Array(KEY_WORDS);
  readonly #wordBytes = new Uint8Array(this.#words.buffer);

  /** Blocks in the table. */
  get size(): number {
    return this.#size;
  }

  /** One more than the highest slot ever used. */
  get slotCount(): number {
    return this.#used;
  }

  /** The slot of a block, or -1. */
  find(key: BlockKeyBytes): number {
    const at = this.#locate(key);
    return at < 0 ? -1 : (this.#index[at] ?? 0) - 1;
  }

  /** Puts a block in, at the place given. The key must not be in the table. */
  insert(key: BlockKeyBytes, pack: number, offset: number, length: number): number {
    const slot = this.#takeSlot();
    this.#wordBytes.set(key.bytes);
    this.#keys.set(this.#words, slot * KEY_WORDS);
    this.#flags[slot] = FLAG_USED | (key.hashed ? FLAG_HASHED : 0);
    this.#moments[slot] = 0;
    this.place(slot, pack, offset, length);
    this.#link(slot);
    this.#size++;
    return slot;
  }

  /** Says that the block lies elsewhere now: it has to be verified again. */
  place(slot: number, pack: number, offset: number, length: number): void {
    this.#packs[slot] = pack;
    this.#offsets[slot] = offset;
    this.#lengths[slot] = length;
    this.#flags[slot] = (this.#flags[slot] ?? 0) & ~FLAG_VERIFIED;
  }

  remove(slot: number): void {
    const key = this.key(slot);
    let at = this.#locate(key);
    if (at < 0) return;
    this.#flags[slot] = 0;
    this.#free.push(slot);
    this.#size--;
    // Closes the gap, so that what was pushed past it is still found (Knuth 6.4, algorithm R).
    const mask = this.#index.length - 1;
    for (let next = (at + 1) & mask; ; next = (next + 1) & mask) {
      const entry = this.#index[next] ?? 0;
      if (entry === 0) break;
      const home = (this.#keys[(entry - 1) * KEY_WORDS] ?? 0) & mask;
      if (((next - home) & mask) >= ((next - at) & mask)) {
        this.#index[at] = entry;
        at = next;
      }
    }
    this.#index[at] = 0;
  }

  isUsed(slot: number): boolean {
    return ((this.#flags[slot] ?? 0) & FLAG_USED) !== 0;
  }

  key(slot: number): BlockKeyBytes {
    const words = this.#keys.slice(slot * KEY_WORDS, (slot + 1) * KEY_WORDS);
    return { bytes: new Uint8Array(words.buffer), hashed: ((this.#flags[slot] ?? 0) & FLAG_HASHED) !== 0 };
  }

  pack(slot: number): number {
    return this.#packs[slot] ?? 0;
  }

  offset(slot: number): number {
    return this.#offsets[slot] ?? 0;
  }

  length(slot: number): number {
    return this.#lengths[slot] ?? 0;
  }

  /** The moment the block was last put, 0 when that was before this process. */
  moment(slot: number): number {
    return this.#moments[slot] ?? 0;
  }

  touch(slot: number, moment: number): void {
    this.#moments[slot] = moment;
  }

  isVerified(slot: number): boolean {
    return ((this.#flags[slot] ?? 0) & FLAG_VERIFIED) !== 0;
  }

  setVerified(slot: number): void {
    this.#flags[slot] = (this.#flags[slot] ?? 0) | FLAG_VERIFIED;
  }

  #locate(key: BlockKeyBytes): number {
    this.#wordBytes.set(key.bytes);
    const words = this.#words;
    const mask = this.#index.length - 1;
    const hashed = key.hashed ? FLAG_HASHED : 0;
    for (let at = (words[0] ?? 0) & mask; ; at = (at + 1) & mask) {
      const entry = this.#index[at] ?? 0;
      if (entry === 0) return -1;
      const slot = entry - 1;
      if (((this.#flags[slot] ?? 0) & FLAG_HASHED) === hashed && this.#sameKey(slot)) return at;
    }
  }

  #sameKey(slot: number): boolean {
    const base = slot * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) if (this.#keys[base + i] !== this.#words[i]) return false;
    return true;
  }

  #link(slot: number): void {
    const mask = this.#index.length - 1;
    let at = (this.#keys[slot * KEY_WORDS] ?? 0) & mask;
    while (this.#index[at] !== 0) at = (at + 1) & mask;
    this.#index[at] = slot + 1;
  }

  #takeSlot(): number {
    const free = this.reuseSlots ? this.#free.pop() : undefined;
    if (free !== undefined) return free;
    if (this.#used === this.#slots) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    this.#slots *= 2;
    const grown = <T extends Uint8Array | Uint32Array | Float64Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#keys = grown(new Uint32Array(this.#slots * KEY_WORDS), this.#keys);
    this.#flags = grown(new Uint8Array(this.#slots), this.#flags);
    this.#packs = grown(new Uint32Array(this.#slots), this.#packs);
    this.#offsets = grown(new Float64Array(this.#slots), this.#offsets);
    this.#lengths = grown(new Uint32Array(this.#slots), this.#lengths);
    this.#moments = grown(new Float64Array(this.#slots), this.#moments);
    this.#index = new Uint32Array(this.#slots * 2);
    for (let slot = 0; slot < this.#used; slot++) if (this.isUsed(slot)) this.#link(slot);
  }
}
