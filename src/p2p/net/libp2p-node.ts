import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { identify, identifyPush } from "@libp2p/identify";
import type {
  ConnectionGater,
  Libp2p,
  Libp2pEvents,
  PrivateKey,
  Transport,
  TypedEventTarget,
} from "@libp2p/interface";
import type {
  AddressManager,
  ConnectionManager,
  Registrar,
  TransportManager,
} from "@libp2p/interface-internal";
import { type Ping, ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { webSockets } from "@libp2p/websockets";
import type { Datastore } from "interface-datastore";
import { createLibp2p } from "libp2p";
import type { Logger } from "../../core/index.ts";
import {
  CLOSE_TIMEOUT_MS,
  MAX_RELAY_STREAMS,
  NEGOTIATION_TIMEOUT_MS,
  type PeerLimits,
  PING_TIMEOUT_MS,
} from "../limits.ts";
import { findSharedPort, type SharedPort } from "../nat/index.ts";
import type { NetworkInit } from "../types.ts";
import { libp2pLogger } from "./libp2p-logger.ts";
import type { Role } from "./roles.ts";
import { optionalServices } from "./services.ts";
import { fastTls, loadTlsParts } from "./tls/index.ts";

/** Inner parts of a libp2p node, as it hands them to its services. */
export interface NodeInternals {
  readonly transportManager: TransportManager;
  readonly connectionManager: ConnectionManager;
  readonly registrar: Registrar;
  readonly addressManager: AddressManager;
  readonly events: TypedEventTarget<Libp2pEvents>;
}

/** Services of the libp2p node that are always there; the others come from {@link optionalServices}. */
export type NodeServices = {
  identify: unknown;
  identifyPush: unknown;
  ping: Ping;
  internals: NodeInternals;
  pubsub?: unknown;
  dht?: unknown;
};

/** A libp2p node and what is kept beside it. */
export interface Libp2pNode {
  readonly libp2p: Libp2p<NodeServices>;
  /** The transport of relayed connections. */
  readonly circuit: Transport;
  readonly sharedPort: SharedPort | undefined;
}

export interface Libp2pNodeInit {
  readonly privateKey: PrivateKey;
  readonly datastore: Datastore;
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly limits: PeerLimits;
  readonly gater: ConnectionGater;
  readonly agent: string;
  readonly network: NetworkInit;
  readonly role: Role;
  /** Hands TCP sockets to `node:tls` as they are. */
  readonly fastTls: boolean;
  /** On offer, best first; default TLS, then noise. */
  readonly encryption?: readonly ("tls" | "noise")[] | undefined;
  readonly log: Logger;
}

/** Connections beyond our own limit before libp2p prunes and refuses by itself: our gate counts what it refuses. */
const CONNECTION_HEADROOM = 16;

/** A libp2p node that is not started: TCP and WebSocket, TLS or noise, yamux, and of discovery, DHT, relay and port mapping what is asked for. */
export async function createNode(init: Libp2pNodeInit): Promise<Libp2pNode> {
  const { limits, network } = init;
  const sharedPort = network.holePunch === true ? await findSharedPort() : undefined;
  const { services, peerDiscovery } = await optionalServices(network, init.role);
  const createTcp = tcp({ maxConnections: limits.maxConnections + CONNECTION_HEADROOM });
  const createCircuit = circuitRelayTransport({ maxInboundStopStreams: MAX_RELAY_STREAMS });
  let circuit: Transport | undefined;
  const tlsParts = init.fastTls ? await loadTlsParts() : undefined;
  if (init.fastTls && tlsParts === undefined)
    init.log.warn({}, "fast TLS is not available: @libp2p/tls has changed");
  const libp2p = await createLibp2p<NodeServices>({
    start: false,
    privateKey: init.privateKey,
    datastore: init.datastore,
    nodeInfo: { name: "cidcast", userAgent: init.agent },
    addresses: { listen: [...init.listen], announce: [...init.announce] },
    transports: [
      components => {
        const transport = createTcp(components);
        return sharedPort?.wrap(transport) ?? transport;
      },
      webSockets(),
      components => {
        circuit = createCircuit(components);
        return circuit;
      },
    ],
    // The dialler takes the first that both speak: TLS moves more bytes, noise is what everybody has.
    connectionEncrypters: (init.encryption ?? ["tls", "noise"]).map(name =>
      name === "noise" ? noise() : tlsParts === undefined ? tls() : fastTls(tlsParts),
    ),
    streamMuxers: [yamux({ maxInboundStreams: limits.maxStreamsPerConnection })],
    peerDiscovery,
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
    connectionMonitor: { pingTimeout: { minTimeout: PING_TIMEOUT_MS, maxTimeout: 2 * PING_TIMEOUT_MS } },
    services: {
      ...services,
      identify: identify({ runOnLimitedConnection: true }),
      identifyPush: identifyPush({ runOnLimitedConnection: true }),
      ping: ping({ runOnLimitedConnection: true }),
      internals: ({
        transportManager,
        connectionManager,
        registrar,
        addressManager,
        events,
      }: NodeInternals) => ({
        transportManager,
        connectionManager,
        registrar,
        addressManager,
        events,
      }),
    },
    logger: libp2pLogger(init.log),
  });
  if (circuit === undefined) throw new Error("libp2p did not make the transport of relayed connections");
  return { libp2p, circuit, sharedPort };
}
