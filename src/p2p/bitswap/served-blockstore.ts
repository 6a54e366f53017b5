import { BaseBlockstore } from "blockstore-core";
import type { CID } from "multiformats/cid";
import { isCidcastError, type Logger, messageOf } from "../../core/index.ts";
import { MAX_BLOCK_BYTES } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import type { PeerBlockstore } from "../types.ts";

/** What bitswap expects where a block is missing: it goes by the name. */
class BlockNotFoundError extends Error {
  override readonly name = "NotFoundError";
}

export interface ServedBlockstoreComponents {
  readonly blocks: PeerBlockstore;
  readonly metrics: PeerMetrics;
  readonly log: Logger;
}

/** The blocks of who is served nothing. */
export class EmptyBlockstore extends BaseBlockstore {
  override has(): boolean {
    return false;
  }

  // Nothing is given: it ends in the error before.
  // oxlint-disable-next-line eslint/require-yield
  override async *get(cid: CID): AsyncGenerator<Uint8Array> {
    throw new BlockNotFoundError(`${cid.toString()} is not served`);
  }
}

/** Our blocks as bitswap reads them. A block that cannot be read is as good as missing: the peer asks somebody else. */
export class ServedBlockstore extends BaseBlockstore {
  readonly #components: ServedBlockstoreComponents;

  constructor(components: ServedBlockstoreComponents) {
    super();
    this.#components = components;
  }

  override has(cid: CID): boolean | Promise<boolean> {
    return this.#components.blocks.has(cid);
  }

  override async *get(cid: CID): AsyncGenerator<Uint8Array> {
    yield await this.#read(cid);
  }

  async #read(cid: CID): Promise<Uint8Array> {
    const { blocks, metrics, log } = this.#components;
    let bytes: Uint8Array | undefined;
    try {
      bytes = await blocks.get(cid);
    } catch (error) {
      const level = isCidcastError(error, "CONTENT_BLOCKED") ? "debug" : "warn";
      log[level]({ cid: cid.toString(), reason: messageOf(error) }, "block cannot be served");
    }
    if (bytes === undefined || bytes.byteLength > MAX_BLOCK_BYTES) {
      throw new BlockNotFoundError(`${cid.toString()} is not served`);
    }
    metrics.blocksServed.add();
    metrics.bytesServed.add(bytes.byteLength);
    return bytes;
  }
}
