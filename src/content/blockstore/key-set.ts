import type { CID } from "multiformats/cid";
import { blockKey } from "../dag/cid.ts";
import type { BlockSet } from "./blockstore.ts";

/** Blocks by the text of their multihash: for stores that number nothing. */
export class KeySet implements BlockSet {
  readonly #keys = new Set<string>();
  readonly #isHere: (cid: CID) => boolean;

  constructor(isHere: (cid: CID) => boolean) {
    this.#isHere = isHere;
  }

  add(cid: CID): boolean {
    const key = blockKey(cid);
    if (this.#keys.has(key) || !this.#isHere(cid)) return false;
    this.#keys.add(key);
    return true;
  }

  has(cid: CID): boolean {
    return this.#keys.has(blockKey(cid));
  }

  hasKey(key: string): boolean {
    return this.#keys.has(key);
  }
}
