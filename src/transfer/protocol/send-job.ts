import type { RequestFrame } from "@cidcast/protocols/content";
import { type WalkedBlock, walkItems } from "../dag/walk.ts";
import { SEND_READ_AHEAD_BLOCKS } from "../limits.ts";
import type { TransferBlocks } from "../types.ts";

/** A block that is next to be sent; undefined bytes: it is not here. */
export interface NextBlock {
  readonly cid: Uint8Array;
  readonly bytes: Uint8Array | undefined;
}

/** One request as the sender works it off: walks the DAG, reads a few blocks ahead. */
export class SendJob {
  readonly id: number;
  readonly priority: number;
  blocks = 0;
  bytes = 0;
  readonly #walk: AsyncGenerator<WalkedBlock>;
  readonly #ahead: WalkedBlock[] = [];
  #walked = false;
  #next: NextBlock | undefined;

  constructor(frame: RequestFrame, blocks: TransferBlocks) {
    this.id = frame.id;
    this.priority = frame.priority;
    this.#walk = walkItems(blocks, frame.items);
  }

  /** The next block, the same until {@link sent}; undefined at the end. */
  async peek(): Promise<NextBlock | undefined> {
    if (this.#next !== undefined) return this.#next;
    while (!this.#walked && this.#ahead.length <= SEND_READ_AHEAD_BLOCKS) {
      const step = await this.#walk.next();
      if (step.done === true) this.#walked = true;
      else this.#ahead.push(step.value);
    }
    const block = this.#ahead.shift();
    if (block === undefined) return undefined;
    this.#next = { cid: block.cid.bytes, bytes: await block.bytes };
    return this.#next;
  }

  /** Goes on to the block after the next. */
  sent(): void {
    if (this.#next?.bytes !== undefined) {
      this.blocks++;
      this.bytes += this.#next.bytes.byteLength;
    }
    this.#next = undefined;
  }

  /** Ends the walk. */
  async stop(): Promise<void> {
    this.#ahead.length = 0;
    await this.#walk.return(undefined);
  }
}
