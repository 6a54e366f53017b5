import type { CID } from "multiformats/cid";
import {
  type AbortOptions,
  CidcastError,
  isCidcastError,
  type Logger,
  messageOf,
  withTimeout,
} from "../../core/index.ts";
import type { Blockstore } from "../blockstore/blockstore.ts";
import type { ContentMetrics } from "../metrics.ts";
import type { Denylist } from "../denylist/denylist.ts";
import type { BlockNetwork } from "../types.ts";
import { blockKey } from "./cid.ts";
import { FreshBlocks } from "./fresh-blocks.ts";
import { checkBlockSize, checkHash, verifyBlock } from "./hash.ts";
import { SharedWork } from "./shared-work.ts";

/** What the content domain lets others do with single blocks. All of it is verified. */
export interface Blocks {
  /** Throws `CONTENT_BLOCKED` when the block is on a denylist. */
  allow(cid: CID): void;
  /** True when the block is here and may be served; asks no network. */
  has(cid: CID, options?: AbortOptions): Promise<boolean>;
  /** Like `has`, and keeps the block from a collection while a guard is open: see `ContentService.guard`. */
  touch(cid: CID): Promise<boolean>;
  /** The verified bytes, not to be changed; undefined when the block is not here. Asks no network. `CORRUPT_BLOCK`, `CONTENT_BLOCKED`. */
  get(cid: CID, options?: AbortOptions): Promise<Uint8Array | undefined>;
  /** The verified bytes, from here or else from the network. `CONTENT_NOT_FOUND`. */
  block(cid: CID, options?: AbortOptions & { readonly root?: string | undefined }): Promise<Uint8Array>;
  /** Checks the bytes against the CID and keeps them. `CORRUPT_BLOCK`, `STORAGE_FULL`. */
  put(cid: CID, bytes: Uint8Array, options?: AbortOptions): Promise<void>;
  /** Keeps bytes that the caller has checked against the CID: nobody hashes them again before they are read. */
  keep(cid: CID, bytes: Uint8Array): Promise<void>;
  /** As `keep`, for bytes that the caller wants to use again: true once nobody holds them any more. */
  lend(cid: CID, bytes: Uint8Array): Promise<boolean>;
  /** Takes a block away, whatever needs it; false when it was not here. */
  delete(cid: CID): Promise<boolean>;
}

export interface BlocksComponents {
  readonly store: Blockstore;
  readonly network: BlockNetwork | undefined;
  readonly denylist: Denylist;
  readonly metrics: ContentMetrics;
  readonly log: Logger;
}

/** Blocks of the store, and those of the network where one is missing or damaged here. */
export class VerifiedBlocks implements Blocks {
  readonly #components: BlocksComponents;
  readonly #findTimeoutMs: number;
  readonly #fetching = new SharedWork<Uint8Array>();
  readonly #fresh = new FreshBlocks();

  constructor(components: BlocksComponents, findTimeoutMs: number) {
    this.#components = components;
    this.#findTimeoutMs = findTimeoutMs;
  }

  allow(cid: CID): void {
    this.#components.denylist.check(cid);
  }

  async has(cid: CID): Promise<boolean> {
    const { store, denylist } = this.#components;
    return !denylist.has(cid) && store.has(cid);
  }

  async touch(cid: CID): Promise<boolean> {
    const { store, denylist } = this.#components;
    return !denylist.has(cid) && store.touch(cid);
  }

  async get(cid: CID, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted();
    const { store, metrics } = this.#components;
    this.allow(cid);
    checkHash(cid);
    try {
      const fresh = this.#fresh.take(cid);
      const isHere = fresh !== undefined && (await store.has(cid));
      const bytes = isHere ? fresh : await store.get(cid, options);
      if (bytes !== undefined) {
        metrics.blocksRead.add();
        metrics.bytesRead.add(bytes.byteLength);
      }
      return bytes;
    } catch (error) {
      if (isCidcastError(error, "CORRUPT_BLOCK")) metrics.corruptBlocks.add(1, { origin: "local" });
      throw error;
    }
  }

  async block(
    cid: CID,
    options: AbortOptions & { readonly root?: string | undefined } = {},
  ): Promise<Uint8Array> {
    let damage: unknown;
    try {
      const bytes = await this.get(cid, options);
      if (bytes !== undefined) return bytes;
    } catch (error) {
      if (!isCidcastError(error, "CORRUPT_BLOCK") || !this.#canAsk) throw error;
      damage = error;
    }
    const fetch = (signal: AbortSignal): Promise<Uint8Array> =>
      this.#fetch(cid, { signal, root: options.root });
    try {
      return await this.#fetching.run(blockKey(cid), fetch, options);
    } catch (error) {
      // A damaged block that nobody else has is a damaged block.
      if (damage !== undefined && isCidcastError(error, "CONTENT_NOT_FOUND")) throw damage;
      throw error;
    }
  }

  async put(cid: CID, bytes: Uint8Array, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const { store, metrics } = this.#components;
    this.allow(cid);
    checkBlockSize(cid, bytes.byteLength);
    try {
      verifyBlock(cid, bytes);
    } catch (error) {
      metrics.corruptBlocks.add(1, { origin: "given" });
      throw error;
    }
    await store.put(cid, bytes);
    metrics.blocksWritten.add();
    metrics.bytesWritten.add(bytes.byteLength);
  }

  async keep(cid: CID, bytes: Uint8Array): Promise<void> {
    this.allow(cid);
    checkBlockSize(cid, bytes.byteLength);
    checkHash(cid);
    const { store, metrics } = this.#components;
    await store.put(cid, bytes);
    this.#fresh.keep(cid, bytes);
    metrics.blocksWritten.add();
    metrics.bytesWritten.add(bytes.byteLength);
  }

  async lend(cid: CID, bytes: Uint8Array): Promise<boolean> {
    const { store } = this.#components;
    if (store.putLent === undefined || this.#fresh.isFollowed) {
      await this.keep(cid, bytes);
      return false;
    }
    this.allow(cid);
    checkBlockSize(cid, bytes.byteLength);
    checkHash(cid);
    const isFree = await store.putLent(cid, bytes);
    this.#components.metrics.blocksWritten.add();
    this.#components.metrics.bytesWritten.add(bytes.byteLength);
    return isFree;
  }

  delete(cid: CID): Promise<boolean> {
    return this.#components.store.delete(cid);
  }

  get #canAsk(): boolean {
    return this.#components.network?.hasPeers ?? false;
  }

  async #fetch(
    cid: CID,
    options: { readonly signal: AbortSignal; readonly root: string | undefined },
  ): Promise<Uint8Array> {
    const { network, metrics, store } = this.#components;
    const text = cid.toString();
    if (network === undefined || !network.hasPeers) {
      throw new CidcastError("CONTENT_NOT_FOUND", `${text} is not here, and no peer is connected to ask`);
    }
    const { root } = options;
    const asking = root === undefined ? {} : { root };
    // No time limit: a transfer ends by itself when nobody brings anything, and until then a reader waits for it.
    if ((await network.bring?.(text, { ...asking, signal: options.signal })) === true) {
      this.#fresh.follow();
      const brought = this.#fresh.take(cid) ?? (await store.get(cid, options));
      if (brought !== undefined) {
        metrics.blocksFetched.add(1, { result: "ok" });
        return brought;
      }
    }
    let bytes: Uint8Array;
    try {
      bytes = await withTimeout(
        this.#findTimeoutMs,
        `Finding ${text}`,
        signal => network.fetchBlock(text, { ...asking, signal }),
        options,
      );
    } catch (error) {
      const late = isCidcastError(error, "TIMEOUT");
      metrics.blocksFetched.add(1, { result: late ? "timeout" : "failed" });
      if (!late) throw error;
      throw new CidcastError(
        "CONTENT_NOT_FOUND",
        `No connected peer sent ${text} in ${this.#findTimeoutMs} ms`,
        {
          cause: error,
        },
      );
    }
    try {
      checkBlockSize(cid, bytes.byteLength);
      verifyBlock(cid, bytes);
    } catch (error) {
      metrics.corruptBlocks.add(1, { origin: "network" });
      throw error;
    }
    metrics.blocksFetched.add(1, { result: "ok" });
    await this.#keep(cid, bytes, store);
    return bytes;
  }

  async #keep(cid: CID, bytes: Uint8Array, store: Blockstore): Promise<void> {
    try {
      // What is here under this CID, if anything, is damaged: otherwise nobody would have asked.
      await store.delete(cid);
      await store.put(cid, bytes);
      this.#components.metrics.blocksWritten.add();
      this.#components.metrics.bytesWritten.add(bytes.byteLength);
    } catch (error) {
      if (!isCidcastError(error, "STORAGE_FULL")) throw error;
      // A full disk does not keep anybody from watching: the block is read and not kept.
      this.#components.log.warn({ cid: cid.toString(), reason: messageOf(error) }, "fetched block not kept");
    }
  }
}
