import type { CID } from "multiformats/cid";
import type { AbortOptions, Clock, EventPublisher, Logger, Metrics, Service } from "../core/index.ts";
import type { PeerDatabase } from "./identity/index.ts";
import type { PeerLimits } from "./limits.ts";
import type { RoleName } from "./net/roles.ts";
import type { Reputation, ReputationEvents } from "./reputation/index.ts";
import type { Reachability } from "./nat/index.ts";
import type { Routing, RoutingEvents } from "./routing/index.ts";
import type { ProtocolHandler, ProtocolHandlerOptions, PeerStream } from "./streams/index.ts";

/** The blocks of this node as peers may see them. Joined to the content domain in node.ts. */
export interface PeerBlockstore {
  /** True when the block is here; asks no network. */
  has(cid: CID): boolean | Promise<boolean>;
  /** The verified bytes, or undefined when the block is not here; asks no network. */
  get(cid: CID): Promise<Uint8Array | undefined>;
  /** Keeps a verified block that nobody waits for any more. */
  put(cid: CID, bytes: Uint8Array): Promise<void>;
}

/** How connections are encrypted. */
export type Encryption = "tls" | "noise";

export interface PeerInit {
  /** What the node is among its peers: see {@link ROLES}; default `worker`. */
  readonly role?: RoleName;
  /** Multiaddrs to listen on; default: TCP and WebSocket on free ports of the loopback interface. `[]` listens nowhere. */
  readonly listen?: readonly string[];
  /** Multiaddrs told to others instead of those listened on. */
  readonly announce?: readonly string[];
  /** Multiaddrs dialled at the start and kept connected. */
  readonly connect?: readonly string[];
  /** Multiaddrs dialled and kept connected by {@link Peer.startDiscovery}. */
  readonly bootstrapPeers?: readonly string[];
  readonly network?: NetworkInit;
  /** How often all content is told to the network anew, milliseconds. */
  readonly reprovideIntervalMs?: number;
  readonly limits?: Partial<PeerLimits>;
  /** TLS on the real socket of TCP connections: more bytes for less CPU, by means that libp2p does not publish. Default off. */
  readonly fastTls?: boolean;
  /** Encryption on offer, best first; default TLS, then noise, which every peer speaks. */
  readonly encryption?: readonly Encryption[] | undefined;
  /** What the node calls itself towards peers. */
  readonly agent?: string;
}

/** What a relay gives each peer that it carries. */
export interface RelayServiceInit {
  readonly maxReservations: number;
  /** Bytes of one relayed connection; 0: no limit on bytes and time. */
  readonly maxBytes: number;
  readonly maxDurationMs: number;
}

/** Contacts beyond those that are named. All of it is off unless it is asked for. */
export interface NetworkInit {
  /** Takes part in a DHT: that of the public network, or that of the local one. */
  readonly dht?: "lan" | "wan" | undefined;
  /** Finds peers of the same local network, and is found there. */
  readonly mdns?: boolean;
  /** Multiaddrs of relays that this node is reachable through; kept connected. */
  readonly relays?: readonly string[];
  /** Carries connections of other peers. */
  readonly relayService?: RelayServiceInit | undefined;
  /** Turns relayed connections into direct ones (DCUtR). */
  readonly holePunch?: boolean;
  /** Lets peers try whether this node can be dialled, and tries others. */
  readonly autoNat?: boolean;
  /** Asks the local router for a port. */
  readonly upnp?: boolean;
  /** Descriptions of routers to ask, as URLs; default: those that answer a search of the local network. */
  readonly upnpGateways?: readonly string[];
  /** Tells other nodes of content and of itself by gossipsub, and hears them. */
  readonly pubsub?: boolean;
  /** Tells the DHT and other nodes what is here; default true. */
  readonly provide?: boolean;
  /** Base URLs of delegated routers (`/routing/v1`). */
  readonly routers?: readonly string[];
}

export interface PeerComponents {
  readonly blocks: PeerBlockstore;
  /** Whose wants bitswap answers; everybody's by default. */
  readonly mayServe?: ((peerId: string) => boolean) | undefined;
  /** Where the identity and the address book live; without it both last as long as the process. */
  readonly database?: PeerDatabase;
  /** Roots of all content, for others to find; none by default. */
  readonly roots?: () => AsyncIterable<string>;
  readonly events: EventPublisher<PeerEvents>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Events of this domain: the first connection to a peer and the end of the last one. */
export interface PeerEvents extends ReputationEvents, RoutingEvents {
  peer_connected: {
    readonly peerId: string;
    readonly address: string;
    readonly direction: "inbound" | "outbound";
  };
  peer_disconnected: { readonly peerId: string };
}

/** An open connection. */
export interface PeerConnection {
  readonly id: string;
  readonly peerId: string;
  readonly address: string;
  readonly direction: "inbound" | "outbound";
  /** Protocol of the encryption, for instance `/noise`. */
  readonly encryption: string | undefined;
  readonly muxer: string | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly openedAtMs: number;
  readonly streams: number;
  /** Through a relay. */
  readonly relayed: boolean;
}

export interface ConnectOptions extends AbortOptions {
  /** Multiaddrs of the peer, where the target is a PeerId whose addresses are not known. */
  readonly addresses?: readonly string[];
  /** A connection through a relay is not enough: dial where only that is there. */
  readonly direct?: boolean;
}

export interface FetchBlockOptions extends AbortOptions {
  /** CID of what is being read: its blocks are asked first of the peer that served others of them. */
  readonly root?: string;
}

/** `disabled`: libp2p could not start; the reason is in {@link Peer.disabledReason}. */
export type PeerStatus = "stopped" | "starting" | "started" | "disabled";

/** The node's place among other peers: libp2p without any contact that was not asked for. */
export interface Peer extends Service {
  readonly role: RoleName;
  readonly status: PeerStatus;
  readonly disabledReason: string | undefined;
  /** PeerId. `FEATURE_DISABLED` before the start. */
  readonly id: string;
  /** Addresses that others can dial, each ending in `/p2p/<id>`. */
  readonly multiaddrs: readonly string[];
  /** What is known of other peers, whether connected or not. */
  readonly reputation: Reputation;
  /** Protocols that streams may be opened with here. */
  readonly protocols: readonly string[];
  /** Finds who has content, and tells what is here. */
  readonly routing: Routing;
  /** Whether others can dial this node, as far as it knows. */
  reachability(): Reachability;
  /** Finds peers by the means configured and keeps them connected. Idempotent. */
  startDiscovery(): Promise<void>;
  /**
   * Answers streams of `protocol`, now and after a restart of this peer. Throws `CONFLICT` when it is taken.
   * The handler owns the stream; when it throws the stream is aborted. Returns what ends it.
   */
  registerProtocolHandler(
    protocol: string,
    handler: ProtocolHandler,
    options?: ProtocolHandlerOptions,
  ): Promise<() => Promise<void>>;
  /** Dials a PeerId or multiaddr, or gives the connection there is. `PEER_UNREACHABLE` when no address answers. */
  connectToPeer(target: string, options?: ConnectOptions): Promise<PeerConnection>;
  disconnect(peerId: string, options?: AbortOptions): Promise<void>;
  /** Opens a stream, dialling first where needed. `PROTOCOL_UNSUPPORTED` when the peer does not speak it. */
  newStream(peerId: string, protocol: string, options?: ConnectOptions): Promise<PeerStream>;
  /** Round trip to a peer, whole milliseconds: 0 on a fast loopback. */
  ping(peerId: string, options?: AbortOptions): Promise<number>;
  connections(): readonly PeerConnection[];
  /** True when some connected peer could be asked for a block, or one could be found. */
  readonly hasPeers: boolean;
  /** A block from connected peers, verified. `CONTENT_NOT_FOUND` when none of them has it within the budget. */
  fetchBlock(cid: string, options?: FetchBlockOptions): Promise<Uint8Array>;
  /** Tells peers who wait for this block that it is here now. */
  announceBlock(cid: string): Promise<void>;
}
