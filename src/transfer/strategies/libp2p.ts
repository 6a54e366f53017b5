import { CONTENT_PROTOCOL } from "@cidcast/protocols/content";
import type { AbortOptions } from "../../core/index.ts";
import type { ByteStream, TransferStrategy } from "../types.ts";
import { StreamStrategy, type StreamStrategyComponents, type StreamStrategyInit } from "./stream.ts";

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

export type Libp2pStrategyInit = StreamStrategyInit;

export interface Libp2pStrategyComponents extends StreamStrategyComponents {
  readonly peer: StreamOpener;
}

/** Fetches by the content protocol over libp2p. */
export function createLibp2pStrategy(
  init: Libp2pStrategyInit = {},
): (components: Libp2pStrategyComponents) => TransferStrategy<PeerSource> {
  return components =>
    new StreamStrategy(
      {
        name: "libp2p",
        keyOf: source => source.peerId,
        open: ({ peerId, addresses }) =>
          components.peer.newStream(peerId, CONTENT_PROTOCOL, addresses === undefined ? {} : { addresses }),
      },
      init,
      components,
    );
}
