import type { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { MAX_BLOCKS_PER_REQUEST } from "../limits.ts";
import type { ByteRange } from "./node-links.ts";

/** Remembers which nodes were walked and how far, so that a DAG of shared nodes is walked once and not once per path. */
export class Visited {
  readonly #ranges = new Map<string, ByteRange>();
  #steps = 0;

  /** True when this range of the node needs a walk; it counts as walked from now on. `LIMIT_REACHED` after too many. */
  enter(cid: CID, range: ByteRange): boolean {
    this.#steps++;
    if (this.#steps > MAX_BLOCKS_PER_REQUEST) {
      throw new CidcastError("LIMIT_REACHED", `At most ${MAX_BLOCKS_PER_REQUEST} blocks are walked at once`);
    }
    const key = keyOf(cid);
    const before = this.#ranges.get(key);
    if (before === undefined) {
      this.#ranges.set(key, range);
      return true;
    }
    if (range.start >= before.start && range.end <= before.end) return false;
    this.#ranges.set(key, {
      start: Math.min(before.start, range.start),
      end: Math.max(before.end, range.end),
    });
    return true;
  }
}

/** One character per byte of the CID: quicker to make than its text. */
export function keyOf(cid: CID): string {
  return bytesKey(cid.bytes);
}

/** One character per byte. */
export function bytesKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
