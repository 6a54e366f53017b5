import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify, identifyPush } from "@libp2p/identify";
import type { ConnectionGater, Libp2p, PrivateKey } from "@libp2p/interface";
import { type Ping, ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { webSockets } from "@libp2p/websockets";
import type { Datastore } from "interface-datastore";
import { createLibp2p } from "libp2p";
import type { Logger } from "../../core/index.ts";
import { CLOSE_TIMEOUT_MS, NEGOTIATION_TIMEOUT_MS, type PeerLimits } from "../limits.ts";
import { libp2pLogger } from "./libp2p-logger.ts";
import { fastTls, loadTlsParts } from "./tls/index.ts";

/** Services of the libp2p node; everything else stays out unless named here. */
export type NodeServices = { identify: unknown; identifyPush: unknown; ping: Ping };

export interface Libp2pNodeInit {
  readonly privateKey: PrivateKey;
  readonly datastore: Datastore;
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly limits: PeerLimits;
  readonly gater: ConnectionGater;
  readonly agent: string;
  /** Hands TCP sockets to `node:tls` as they are. */
  readonly fastTls: boolean;
  readonly log: Logger;
}

/** Connections beyond our own limit before libp2p prunes and refuses by itself: our gate counts what it refuses. */
const CONNECTION_HEADROOM = 16;

/** A libp2p node that is not started: TCP and WebSocket, TLS or noise, yamux. No discovery, DHT, relay or port mapping. */
export async function createNode(init: Libp2pNodeInit): Promise<Libp2p<NodeServices>> {
  const { limits } = init;
  const tlsParts = init.fastTls ? await loadTlsParts() : undefined;
  if (init.fastTls && tlsParts === undefined)
    init.log.warn({}, "fast TLS is not available: @libp2p/tls has changed");
  return createLibp2p<NodeServices>({
    start: false,
    privateKey: init.privateKey,
    datastore: init.datastore,
    nodeInfo: { name: "cidcast", userAgent: init.agent },
    addresses: { listen: [...init.listen], announce: [...init.announce] },
    transports: [tcp({ maxConnections: limits.maxConnections + CONNECTION_HEADROOM }), webSockets()],
    // The dialler takes the first that both speak: TLS moves more bytes, noise is what everybody has.
    connectionEncrypters: [tlsParts === undefined ? tls() : fastTls(tlsParts), noise()],
    streamMuxers: [yamux({ maxInboundStreams: limits.maxStreamsPerConnection })],
    peerDiscovery: [],
    connectionGater: init.gater,
    connectionManager: {
      maxConnections: limits.maxConnections + CONNECTION_HEADROOM,
      maxIncomingPendingConnections: limits.maxPendingInbound,
      inboundConnectionThreshold: limits.maxInboundPerSecond + CONNECTION_HEADROOM,
      dialTimeout: limits.dialTimeoutMs,
      connectionCloseTimeout: CLOSE_TIMEOUT_MS,
      outboundStreamProtocolNegotiationTimeout: NEGOTIATION_TIMEOUT_MS,
      inboundStreamProtocolNegotiationTimeout: NEGOTIATION_TIMEOUT_MS,
      // Redials have one owner: KeepConnected.
      reconnectRetries: 0,
    },
    services: { identify: identify(), identifyPush: identifyPush(), ping: ping() },
    logger: libp2pLogger(init.log),
  });
}
