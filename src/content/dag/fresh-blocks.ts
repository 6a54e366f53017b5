import type { CID } from "multiformats/cid";
import { FOLLOWED_MS, FRESH_BLOCKS_BYTES } from "../limits.ts";
import { blockKey } from "./cid.ts";

/**
 * Blocks that have just come and been verified, for a reader who follows a transfer closely: it gets them from memory, and
 * nobody reads and hashes them a second time. Each is handed over once, and none is kept while nobody follows.
 */
export class FreshBlocks {
  readonly #blocks = new Map<string, Uint8Array>();
  #bytes = 0;
  #followedUntilMs = Number.NEGATIVE_INFINITY;

  /** Bytes kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Somebody has waited for a block of a transfer. */
  follow(): void {
    this.#followedUntilMs = performance.now() + FOLLOWED_MS;
  }

  /** True while what comes is kept. */
  get isFollowed(): boolean {
    return performance.now() <= this.#followedUntilMs;
  }

  keep(cid: CID, bytes: Uint8Array): void {
    if (!this.isFollowed) {
      this.#blocks.clear();
      this.#bytes = 0;
      return;
    }
    const key = blockKey(cid);
    if (this.#blocks.has(key) || bytes.byteLength > FRESH_BLOCKS_BYTES) return;
    this.#blocks.set(key, bytes);
    this.#bytes += bytes.byteLength;
    for (const oldest of this.#blocks.keys()) {
      if (this.#bytes <= FRESH_BLOCKS_BYTES) return;
      this.#drop(oldest);
    }
  }

  /** The bytes, once. */
  take(cid: CID): Uint8Array | undefined {
    return this.#blocks.size === 0 ? undefined : this.#drop(blockKey(cid));
  }

  #drop(key: string): Uint8Array | undefined {
    const bytes = this.#blocks.get(key);
    if (bytes === undefined) return undefined;
    this.#blocks.delete(key);
    this.#bytes -= bytes.byteLength;
    return bytes;
  }
}
