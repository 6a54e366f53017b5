import type { ErrorCode } from "@cidcast/protocols/errors";
import type { CID } from "multiformats/cid";
import type { AbortOptions } from "../../core/index.ts";
import type { TransferProtocol } from "../select-protocol.ts";
import type { GatewaySource } from "../strategies/http.ts";
import type { PeerSource } from "../strategies/libp2p.ts";
import type { WebSocketSource } from "../strategies/web-socket.ts";
import type { TransferBlocks } from "../types.ts";

/** A way to content, best first: libp2p, then a WebSocket, then a gateway over HTTP. */
export type Rung = "libp2p" | "websocket" | "http";

/** One rung to one peer. */
export type TransferSource =
  | ({ readonly rung: "libp2p" } & PeerSource)
  | ({ readonly rung: "websocket" } & WebSocketSource)
  | ({ readonly rung: "http" } & GatewaySource);

export type TransferState = "waiting" | "running" | "paused" | "completed" | "failed" | "cancelled";

/** One try with one source, and how it ended. */
export interface TransferAttempt {
  readonly rung: Rung;
  /** PeerId or address, without secrets. */
  readonly source: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** Verified blocks and their bytes that it brought before it ended. */
  readonly blocks: number;
  readonly bytes: number;
  readonly atMs: number;
}

/** A transfer, running or over. Its true state is which blocks of the DAG are here. */
export interface Transfer {
  readonly id: string;
  readonly cid: string;
  /** Where it may come from, as given. */
  readonly from: readonly string[];
  readonly state: TransferState;
  /** What {@link selectProtocol} says of the content; the chain begins with a WebSocket only for `websocket`. */
  readonly protocol: TransferProtocol;
  readonly pin: string | undefined;
  /** The only rung it may use; undefined: all. */
  readonly via: Rung | undefined;
  /** Verified blocks that came, and their bytes. */
  readonly blocks: number;
  readonly bytes: number;
  /** Bytes of all blocks of the DAG, as its root says; undefined until the root is here, or where it does not say. */
  readonly totalBytes: number | undefined;
  /** Blocks by the rung that brought them. */
  readonly byRung: Readonly<Partial<Record<Rung, number>>>;
  /** Where it comes from at the moment, or came from last. */
  readonly rung: Rung | undefined;
  readonly source: string | undefined;
  /** Bytes per second of the last seconds; 0 unless it runs. */
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | undefined;
  /** Every try that ended without the whole, the last ones. */
  readonly attempts: readonly TransferAttempt[];
  /** Why it failed. */
  readonly code: ErrorCode | undefined;
  readonly message: string | undefined;
  readonly createdAtMs: number;
  readonly endedAtMs: number | undefined;
}

export interface TransferRequest {
  readonly cid: string;
  /** PeerIds, multiaddrs with `/p2p/…`, `http(s)://` of a node or gateway, `ws(s)://` of a node's `/ws/content`. */
  readonly from: readonly string[];
  /** The token of the node at the `http` and `ws` addresses. Kept sealed with this node's key until it is here. */
  readonly token?: string | undefined;
  /** Name to pin it under when it is here; default `""`. `false`: not pinned. */
  readonly pin?: string | false;
  readonly priority?: "low" | "normal" | "high";
  /** What is known of the content beforehand, for {@link selectProtocol}. */
  readonly contentType?: string | undefined;
  readonly sizeBytes?: number | undefined;
  /** This rung alone. */
  readonly via?: Rung | undefined;
}

/** How a transfer ended. */
export type TransferResult =
  | { readonly ok: true; readonly transfer: Transfer }
  | { readonly ok: false; readonly attempts: readonly TransferAttempt[]; readonly transfer: Transfer };

export interface TransferQuery {
  readonly state?: TransferState | undefined;
  readonly limit?: number;
  readonly offset?: number;
}

/** Events of this domain. */
export interface TransferEvents {
  transfer_started: {
    readonly transferId: string;
    readonly cid: string;
    readonly method?: string;
    readonly totalBytes?: number;
  };
  transfer_progress: {
    readonly transferId: string;
    readonly cid: string;
    readonly bytes: number;
    readonly blocks: number;
    readonly bytesPerSecond: number;
    readonly method?: string;
    readonly source?: string;
    readonly totalBytes?: number;
    readonly etaSeconds?: number;
  };
  transfer_completed: {
    readonly transferId: string;
    readonly cid: string;
    readonly bytes: number;
    readonly durationSeconds: number;
    readonly method?: string;
  };
  transfer_failed: {
    readonly transferId: string;
    readonly cid: string;
    readonly message: string;
    readonly code: string;
  };
}

/** The content domain as transfers need it. */
export interface TransferContent {
  /** Throws when the content may not be here. */
  allow?(cid: CID): void;
  readonly blocks: TransferBlocks;
  /** Keeps a DAG from collection, also while only part of it is here. */
  hold(cid: string): Disposable;
  /** While open, blocks that are put are not collected. */
  guard(): Disposable;
  pin(cid: string, options: AbortOptions & { readonly name: string }): Promise<unknown>;
}

/** Bytes of all blocks below a root, as it says itself. */
export type TotalOf = (root: CID, bytes: Uint8Array) => number | undefined;
