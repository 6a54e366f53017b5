import { MAX_ITEMS, MAX_REQUEST_BYTES, type RequestItem } from "@cidcast/protocols/content";
import type { CID } from "multiformats/cid";
import {
  type AbortOptions,
  type Cancel,
  type Clock,
  type Logger,
  messageOf,
  raceSignal,
  SingleFlight,
} from "../../core/index.ts";
import { decodeCid, WantList } from "../dag/index.ts";
import { missingBlocks } from "../dag/missing-blocks.ts";
import { IDLE_STREAM_MS, MAX_IDLE_STREAMS, RECEIVE_WINDOW_BYTES, STALL_TIMEOUT_MS } from "../limits.ts";
import type { TransferMetrics } from "../metrics.ts";
import { ContentReceiver } from "../protocol/content-receiver.ts";
import type {
  ByteStream,
  FetchOptions,
  FetchResult,
  TransferBlocks,
  TransferStrategy,
  TransferWant,
} from "../types.ts";

export interface StreamStrategyInit {
  readonly windowBytes?: number;
  readonly stallTimeoutMs?: number;
}

export interface StreamStrategyComponents {
  readonly blocks: TransferBlocks;
  readonly metrics: TransferMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What carries the streams of a strategy. */
export interface StreamCarrier<Source> {
  readonly name: TransferStrategy<Source>["name"];
  /** Sources of one key share a stream. */
  keyOf(source: Source): string;
  open(source: Source): Promise<ByteStream>;
}

interface KeptStream {
  readonly receiver: ContentReceiver;
  idle: Cancel | undefined;
}

/** Fetches by the content protocol over streams of any kind. Keeps a stream per source open for the next request for a while. */
export class StreamStrategy<Source> implements TransferStrategy<Source> {
  readonly name: TransferStrategy<Source>["name"];
  readonly #carrier: StreamCarrier<Source>;
  readonly #init: StreamStrategyInit;
  readonly #components: StreamStrategyComponents;
  readonly #kept = new Map<string, KeptStream>();
  readonly #opening = new SingleFlight<string, KeptStream>();

  constructor(
    carrier: StreamCarrier<Source>,
    init: StreamStrategyInit,
    components: StreamStrategyComponents,
  ) {
    this.name = carrier.name;
    this.#carrier = carrier;
    this.#init = init;
    this.#components = components;
  }

  async fetch(source: Source, want: TransferWant, options: FetchOptions = {}): Promise<FetchResult> {
    const { blocks } = this.#components;
    let [count, bytes] = [0, 0];
    for (;;) {
      const missing = await missingBlocks(blocks, want, {
        maxItems: MAX_ITEMS,
        maxBytes: MAX_REQUEST_BYTES,
        signal: options.signal,
      });
      if (missing.items.length === 0) return { blocks: count, bytes, missing: [] };
      const result = await this.#request(source, missing.items, options);
      count += result.blocks;
      bytes += result.bytes;
      // A request that was cut at its largest goes on with the rest, while the source brings anything.
      if (missing.all || result.blocks === 0) return { blocks: count, bytes, missing: result.missing };
    }
  }

  fetchBlocks(source: Source, cids: readonly CID[], options: FetchOptions = {}): Promise<FetchResult> {
    const items = cids.map(({ bytes }) => ({ kind: "block", cid: bytes }) as const);
    return this.#request(source, items, options);
  }

  async #request(source: Source, items: readonly RequestItem[], options: FetchOptions): Promise<FetchResult> {
    const { metrics } = this.#components;
    const wants = await WantList.of(this.#components.blocks, items);
    let [blocks, bytes] = [0, 0];
    const kept = await this.#stream(source, options);
    try {
      await kept.receiver.request(items, wants, {
        signal: options.signal,
        priority: options.priority ?? 0,
        onBlock: (cid, block) => {
          const size = block.byteLength;
          blocks++;
          bytes += size;
          metrics.receivedBlocks.add(1, { rung: this.name });
          metrics.receivedBytes.add(size, { rung: this.name });
          options.onBlock?.(decodeCid(cid), size, block);
        },
      });
    } finally {
      this.#release(this.#carrier.keyOf(source), kept);
    }
    return { blocks, bytes, missing: wants.missing };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const kept = [...this.#kept.values()];
    this.#kept.clear();
    for (const stream of kept) {
      stream.idle?.();
      await stream.receiver.close();
    }
  }

  /** The stream to a peer that is open, or a new one. */
  async #stream(source: Source, options: AbortOptions): Promise<KeptStream> {
    const key = this.#carrier.keyOf(source);
    let kept = this.#kept.get(key);
    while (kept?.receiver.usable !== true) {
      // A new one is shared by all who ask now: one who gives up must not end it for the others.
      const opening = this.#opening.run(key, () => this.#open(source));
      kept = await raceSignal(opening, options.signal);
    }
    kept.idle?.();
    kept.idle = undefined;
    return kept;
  }

  async #open(source: Source): Promise<KeptStream> {
    const { clock } = this.#components;
    const key = this.#carrier.keyOf(source);
    const stream = await this.#carrier.open(source);
    const receiver = new ContentReceiver(stream, {
      clock,
      windowBytes: this.#init.windowBytes ?? RECEIVE_WINDOW_BYTES,
      stallTimeoutMs: this.#init.stallTimeoutMs ?? STALL_TIMEOUT_MS,
    });
    const opened: KeptStream = { receiver, idle: undefined };
    this.#kept.set(key, opened);
    this.#evict();
    // Those who asked may all have given up meanwhile.
    this.#release(key, opened);
    return opened;
  }

  /** Keeps an idle stream for the next request for a while; lets go of one that failed. */
  #release(key: string, kept: KeptStream): void {
    if (kept.receiver.openRequests > 0) return;
    const current = this.#kept.get(key) === kept;
    if (current && kept.receiver.usable) {
      kept.idle?.();
      kept.idle = this.#components.clock.after(IDLE_STREAM_MS, () => this.#drop(key, kept));
    } else {
      this.#drop(key, kept);
    }
  }

  #drop(key: string, kept: KeptStream): void {
    kept.idle?.();
    if (this.#kept.get(key) === kept) this.#kept.delete(key);
    kept.receiver.close().catch((error: unknown) => {
      this.#components.log.debug({ source: key, reason: messageOf(error) }, "stream did not close cleanly");
    });
  }

  /** Lets go of the idle stream that is kept longest when there are too many. */
  #evict(): void {
    if (this.#kept.size <= MAX_IDLE_STREAMS) return;
    for (const [key, kept] of this.#kept) {
      if (kept.idle === undefined) continue;
      this.#drop(key, kept);
      return;
    }
  }
}
