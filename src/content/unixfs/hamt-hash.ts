import { CidcastError } from "../../core/index.ts";
import { murmur3 } from "./murmur3.ts";

/** Where a name belongs in a tree of shards: its hash, taken from the front a few bits at a time. */
export class HamtHash {
  readonly #hash: bigint;
  #left = 64;

  constructor(name: string) {
    const bytes = murmur3(new TextEncoder().encode(name));
    this.#hash = new DataView(bytes.buffer).getBigUint64(0);
  }

  /** The place on the next level of `fanout` places, a power of two. `CORRUPT_DAG` when the hash is used up. */
  next(fanout: number): number {
    const bits = Math.log2(fanout);
    if (this.#left < bits)
      throw new CidcastError("CORRUPT_DAG", "A directory has more levels than names have hash");
    this.#left -= bits;
    return Number((this.#hash >> BigInt(this.#left)) & BigInt(fanout - 1));
  }
}

/** Hex digits before the names in a shard of `fanout` places. */
export function prefixLength(fanout: number): number {
  return (fanout - 1).toString(16).length;
}

/** The prefix of a place. */
export function prefixOf(place: number, fanout: number): string {
  return place.toString(16).toUpperCase().padStart(prefixLength(fanout), "0");
}
