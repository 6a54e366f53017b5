import type { CID } from "multiformats/cid";
import type { TransferBlocks } from "../types.ts";

/** Blocks of which one knows when all that was put is stored: a source that is left must not be asked for it again. */
export class WatchedBlocks implements TransferBlocks {
  readonly #blocks: TransferBlocks;
  readonly #putting = new Set<Promise<unknown>>();

  constructor(blocks: TransferBlocks) {
    this.#blocks = blocks;
  }

  has(cid: CID): boolean | Promise<boolean> {
    return this.#blocks.has(cid);
  }

  get(cid: CID): Promise<Uint8Array | undefined> {
    return this.#blocks.get(cid);
  }

  put(cid: CID, bytes: Uint8Array): Promise<void> {
    return this.#watched(this.#blocks.put(cid, bytes));
  }

  lend(cid: CID, bytes: Uint8Array): Promise<boolean> {
    const { lend } = this.#blocks;
    return this.#watched(
      lend === undefined
        ? this.#blocks.put(cid, bytes).then(() => false)
        : lend.call(this.#blocks, cid, bytes),
    );
  }

  #watched<T>(putting: Promise<T>): Promise<T> {
    const ended = putting.then(
      () => undefined,
      () => undefined,
    );
    this.#putting.add(ended);
    void ended.then(() => this.#putting.delete(ended));
    return putting;
  }

  /** Resolves when everything that is being put now is stored, or has failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#putting);
  }
}
