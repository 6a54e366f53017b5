import type { RemoteAction, RemoteRequest } from "@cidcast/protocols/ipfs-kit-mcp";
import type { AbortOptions, Action, Authoriser, Logger, Principal } from "../../core/index.ts";
import type { PeerStream } from "../streams/index.ts";
import type { Peer } from "../types.ts";
import type { FirstObject } from "./first-object.ts";

/** Content as the reply of `get_content` shows it. */
export interface RemoteContent {
  readonly size: number;
  readonly contentType: string;
  /** Bytes [start, end) of it. */
  read(start: number, end: number, options?: AbortOptions): Promise<Uint8Array>;
  close(): Promise<void>;
}

type Request<A extends RemoteAction> = Extract<RemoteRequest, { action: A }>;

/** Answers an action with the `result` of its reply; throws one of our errors. */
export type RemoteHandler<A extends RemoteAction> = (
  request: Request<A>,
  context: AbortOptions & { readonly principal: Principal },
) => Promise<Record<string, unknown>>;

/** What the node does for peers; joined in node.ts. An action that is left out is answered with `FEATURE_DISABLED`. */
export interface RemoteActions {
  open(cid: string, context: AbortOptions & { readonly principal: Principal }): Promise<RemoteContent>;
  readonly handlers: { readonly [A in Exclude<RemoteAction, "get_content">]?: RemoteHandler<A> };
}

export interface RemoteActionComponents {
  readonly peer: Pick<Peer, "registerProtocolHandler" | "id">;
  readonly actions: RemoteActions;
  /** Who a peer is: by its PeerId, and by its token where it gave one (`UNAUTHENTICATED` when that is no good). */
  readonly authenticate: (peerId: string, token: string | undefined) => Principal | Promise<Principal>;
  readonly authoriser: Authoriser;
  /** Takes over a stream that begins with JSON-RPC, or with `authenticate`; without it such a stream is answered with `INVALID_REQUEST`. */
  readonly messages?: ((stream: PeerStream, first: FirstObject) => Promise<void> | void) | undefined;
  readonly log: Logger;
}

/** The right that each action needs. */
export const REQUIRED_RIGHT: Readonly<Record<RemoteAction, Action>> = {
  get_content: "content:read",
  stat: "content:read",
  list: "content:list",
  pin: "content:pin",
  unpin: "content:pin",
  providers: "peers:read",
  transfer: "transfer:start",
  health: "node:status",
};
