import type { CID } from "multiformats/cid";
import type { AbortOptions } from "../core/index.ts";

/** The blocks of this node, as transfers need them. Joined to the content domain in node.ts. */
export interface TransferBlocks {
  has(cid: CID): boolean | Promise<boolean>;
  /** The verified bytes, or undefined when the block is not here; asks no network. */
  get(cid: CID): Promise<Uint8Array | undefined>;
  /** Keeps a verified block; resolves when it is safe. The bytes are not changed afterwards. */
  put(cid: CID, bytes: Uint8Array): Promise<void>;
  /**
   * As `put`, for bytes that the caller wants to use again: true once nobody holds them any more, false when they are to be left
   * alone for good.
   */
  lend?(cid: CID, bytes: Uint8Array): Promise<boolean>;
}

/** What is to be here in the end. */
export interface TransferWant {
  readonly root: CID;
  /** First byte of the file below the root; default 0. */
  readonly start?: number;
  /** First byte that is not wanted; default the end. */
  readonly end?: number;
}

export interface FetchOptions extends AbortOptions {
  /** 0 (a bulk copy) to 255 (a player's next second); default 0. */
  readonly priority?: number;
  /** Hears each block once it is verified and stored. */
  readonly onBlock?: (cid: CID, size: number, bytes: Uint8Array) => void;
}

/** What one source brought. */
export interface FetchResult {
  readonly blocks: number;
  readonly bytes: number;
  /** Blocks that the source said it lacks; the rest of the want is here. */
  readonly missing: readonly CID[];
}

/** One way to get blocks from one kind of source. What was verified before it failed stays and is not fetched again. */
export interface TransferStrategy<Source> extends AsyncDisposable {
  readonly name: "libp2p" | "websocket" | "http" | "webrtc";
  /**
   * Fetches what is missing of the want. Rejects with `PEER_UNREACHABLE`, `PROTOCOL_UNSUPPORTED`, `TIMEOUT` (no
   * verified block for a while), `CORRUPT_BLOCK` (the source lies) or what the source answered.
   */
  fetch(source: Source, want: TransferWant, options?: FetchOptions): Promise<FetchResult>;
  /** Fetches just these blocks, which the caller lacks. Rejects as {@link fetch} does. */
  fetchBlocks(source: Source, cids: readonly CID[], options?: FetchOptions): Promise<FetchResult>;
}

/** How it went with a peer. `lacks`: it answered well that it does not have it. `bad`: it sent a wrong block. */
export interface SourceOutcome {
  readonly result: "ok" | "lacks" | "failed" | "bad";
  readonly latencyMs?: number;
  /** Verified bytes, and the time they took. */
  readonly bytes?: number;
  readonly durationMs?: number;
  /** CID of what was transferred: its root. */
  readonly about?: string;
}

/** What is known of peers as sources, by PeerId: one memory for transfers and for single blocks. Joined in src/node to the peer's reputation. */
export interface SourceReputation {
  /** About 0 to 1.5, 0.5 for a stranger; with `about`, who has served it or a sibling (of one directory, collection or manifest) scores higher. */
  score(peerId: string, about?: string): number;
  /** Milliseconds until it is to be asked again, after failures or a ban; 0: now. */
  waitMs(peerId: string): number;
  /** True while it is banned for bad blocks. */
  isBanned(peerId: string): boolean;
  note(peerId: string, outcome: SourceOutcome): void;
}

/** A stream of bytes both ways, whatever carries it. `p2p`'s streams are of this shape. */
export interface ByteStream {
  readonly peerId: string;
  /** Queues bytes; false asks to await {@link drained}. Throws once our side is closed. */
  send(bytes: Uint8Array): boolean;
  drained(options?: AbortOptions): Promise<void>;
  consume(consumer: { onData(chunk: Uint8Array): void; onEnd?(): void; onClose?(error?: Error): void }): void;
  close(options?: AbortOptions): Promise<void>;
  abort(error: Error): void;
}
