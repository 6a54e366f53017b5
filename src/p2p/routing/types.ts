import type { AbortOptions } from "../../core/index.ts";

/** A peer that says it has something. */
export interface Provider {
  readonly peerId: string;
  /** Multiaddrs; none: ask the routing, or it is connected already. */
  readonly addresses: readonly string[];
  /** Who told. */
  readonly origin: "dht" | "router" | "announcement";
}

export interface FindProvidersOptions extends AbortOptions {
  /** Ends after so many; default 20. */
  readonly limit?: number;
}

/** How telling others what is here comes along. */
export interface ProvideStatus {
  /** CIDs that wait to be told. */
  readonly waiting: number;
  /** CIDs told since the start. */
  readonly provided: number;
  readonly failed: number;
  /** Why this node's content may not be found; undefined: all is told in time. */
  readonly backlog: string | undefined;
  /** When the last round through everything ended; wall clock, milliseconds since 1970. */
  readonly lastRoundMs: number | undefined;
}

/** Finds who has content, and tells what is here. */
export interface Routing {
  /** True when anybody could be asked. */
  readonly canFind: boolean;
  /** Providers as they are found, each once; this node is not among them. Ends when all ways are through. */
  findProviders(cid: string, options?: FindProvidersOptions): AsyncIterable<Provider>;
  /** Addresses of a peer. `PEER_UNREACHABLE` when nobody knows them. */
  findPeer(peerId: string, options?: AbortOptions): Promise<readonly string[]>;
  /** Queues a CID to be told; the queue is bounded, and a later round brings what it had no room for. */
  provide(cid: string): void;
  readonly provideStatus: ProvideStatus;
}

/** Events of routing. */
export interface RoutingEvents {
  provide_backlog: { readonly waiting: number; readonly message: string };
}
