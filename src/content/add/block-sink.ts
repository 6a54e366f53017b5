import { CID } from "multiformats/cid";
import { create } from "multiformats/hashes/digest";
import type { Blockstore } from "../blockstore/blockstore.ts";
import { SHA2_256, sha256 } from "../dag/hash.ts";
import { MAX_ADD_INFLIGHT_BYTES } from "../limits.ts";
import type { ContentMetrics } from "../metrics.ts";

/** Takes blocks as they are made: hashes them, and lets only so many be unwritten at a time. */
export class BlockSink {
  readonly #store: Blockstore;
  readonly #metrics: ContentMetrics;
  #inflightBytes = 0;
  #failure: { readonly error: unknown } | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(store: Blockstore, metrics: ContentMetrics) {
    this.#store = store;
    this.#metrics = metrics;
  }

  /** Makes the CID of a block and sends it on its way. Throws what kept an earlier block from being written. */
  write(codec: number, bytes: Uint8Array): CID {
    this.#check();
    const cid = CID.createV1(codec, create(SHA2_256, sha256(bytes)));
    this.#inflightBytes += bytes.byteLength;
    this.#store.put(cid, bytes).then(
      () => this.#settle(bytes.byteLength),
      error => {
        this.#failure ??= { error };
        this.#settle(bytes.byteLength);
      },
    );
    this.#metrics.blocksWritten.add();
    this.#metrics.bytesWritten.add(bytes.byteLength);
    return cid;
  }

  /** Waits until more may be written: at once in most cases. */
  async room(): Promise<void> {
    while (this.#inflightBytes > MAX_ADD_INFLIGHT_BYTES) await this.#settled();
    this.#check();
  }

  /** Waits until everything is written. */
  async flush(): Promise<void> {
    while (this.#inflightBytes > 0) await this.#settled();
    this.#check();
  }

  /** Waits until nothing is on its way any more, however it ended. */
  async settle(): Promise<void> {
    while (this.#inflightBytes > 0) await this.#settled();
  }

  #settled(): Promise<void> {
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  #settle(bytes: number): void {
    this.#inflightBytes -= bytes;
    this.#room?.resolve();
    this.#room = undefined;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
