import { CONTENT_PROTOCOL, MAX_ITEMS, MAX_REQUEST_BYTES } from "@cidcast/protocols/content";
import {
  type AbortOptions,
  type Cancel,
  type Clock,
  type Logger,
  messageOf,
  raceSignal,
  SingleFlight,
} from "../../core/index.ts";
import { missingBlocks } from "../dag/missing-blocks.ts";
import { decodeCid, WantList } from "../dag/index.ts";
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

/** A peer that speaks the content protocol. */
export interface PeerSource {
  readonly peerId: string;
  /** Multiaddrs, where they are not known to the peer. */
  readonly addresses?: readonly string[];
}

/** What is needed of the libp2p peer: joined in node.ts. */
export interface StreamOpener {
  newStream(
    peerId: string,
    protocol: string,
    options?: AbortOptions & { readonly addresses?: readonly string[] },
  ): Promise<ByteStream>;
}

export interface Libp2pStrategyInit {
  readonly windowBytes?: number;
  readonly stallTimeoutMs?: number;
}

export interface Libp2pStrategyComponents {
  readonly peer: StreamOpener;
  readonly blocks: TransferBlocks;
  readonly metrics: TransferMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Fetches by the content protocol over libp2p. Keeps a stream per peer open for the next request for a while. */
export function createLibp2pStrategy(
  init: Libp2pStrategyInit = {},
): (components: Libp2pStrategyComponents) => TransferStrategy<PeerSource> {
  return components => new Libp2pStrategy(init, components);
}

interface KeptStream {
  readonly receiver: ContentReceiver;
  idle: Cancel | undefined;
}

class Libp2pStrategy implements TransferStrategy<PeerSource> {
  readonly name = "libp2p";
  readonly #init: Libp2pStrategyInit;
  readonly #components: Libp2pStrategyComponents;
  readonly #kept = new Map<string, KeptStream>();
  readonly #opening = new SingleFlight<string, KeptStream>();

  constructor(init: Libp2pStrategyInit, components: Libp2pStrategyComponents) {
    this.#init = init;
    this.#components = components;
  }

  async fetch(source: PeerSource, want: TransferWant, options: FetchOptions = {}): Promise<FetchResult> {
    const { blocks, metrics } = this.#components;
    let count = 0;
    let bytes = 0;
    for (;;) {
      const missing = await missingBlocks(blocks, want, {
        maxItems: MAX_ITEMS,
        maxBytes: MAX_REQUEST_BYTES,
        signal: options.signal,
      });
      if (missing.items.length === 0) return { blocks: count, bytes, missing: [] };
      const wants = await WantList.of(blocks, missing.items);
      const before = count;
      const kept = await this.#stream(source, options);
      try {
        await kept.receiver.request(missing.items, wants, {
          signal: options.signal,
          priority: options.priority ?? 0,
          onBlock: (cid, size) => {
            count++;
            bytes += size;
            metrics.receivedBlocks.add(1, { rung: this.name });
            metrics.receivedBytes.add(size, { rung: this.name });
            options.onBlock?.(decodeCid(cid), size);
          },
        });
      } finally {
        this.#release(source.peerId, kept);
      }
      // A request that was cut at its largest goes on with the rest, while the source brings anything.
      if (missing.all || count === before) return { blocks: count, bytes, missing: wants.missing };
    }
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
  async #stream(source: PeerSource, options: AbortOptions): Promise<KeptStream> {
    const open = this.#kept.get(source.peerId);
    // A new one is shared by all who ask now: one who gives up must not end it for the others.
    const kept =
      open?.receiver.usable === true
        ? open
        : await raceSignal(
            this.#opening.run(source.peerId, () => this.#open(source)),
            options.signal,
          );
    kept.idle?.();
    kept.idle = undefined;
    return kept;
  }

  async #open(source: PeerSource): Promise<KeptStream> {
    const { peer, clock } = this.#components;
    const stream = await peer.newStream(
      source.peerId,
      CONTENT_PROTOCOL,
      source.addresses === undefined ? {} : { addresses: source.addresses },
    );
    const receiver = new ContentReceiver(stream, {
      clock,
      windowBytes: this.#init.windowBytes ?? RECEIVE_WINDOW_BYTES,
      stallTimeoutMs: this.#init.stallTimeoutMs ?? STALL_TIMEOUT_MS,
    });
    const opened: KeptStream = { receiver, idle: undefined };
    this.#kept.set(source.peerId, opened);
    this.#evict();
    // Those who asked may all have given up meanwhile.
    this.#release(source.peerId, opened);
    return opened;
  }

  /** Keeps an idle stream for the next request for a while; lets go of one that failed. */
  #release(peerId: string, kept: KeptStream): void {
    if (kept.receiver.openRequests > 0) return;
    const current = this.#kept.get(peerId) === kept;
    if (current && kept.receiver.usable) {
      kept.idle?.();
      kept.idle = this.#components.clock.after(IDLE_STREAM_MS, () => this.#drop(peerId, kept));
    } else {
      this.#drop(peerId, kept);
    }
  }

  #drop(peerId: string, kept: KeptStream): void {
    kept.idle?.();
    if (this.#kept.get(peerId) === kept) this.#kept.delete(peerId);
    kept.receiver.close().catch((error: unknown) => {
      this.#components.log.debug({ peer: peerId, reason: messageOf(error) }, "stream did not close cleanly");
    });
  }

  /** Lets go of the idle stream that is kept longest when there are too many. */
  #evict(): void {
    if (this.#kept.size <= MAX_IDLE_STREAMS) return;
    for (const [peerId, kept] of this.#kept) {
      if (kept.idle === undefined) continue;
      this.#drop(peerId, kept);
      return;
    }
  }
}
