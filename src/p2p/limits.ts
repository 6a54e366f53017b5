/** Connections kept open, both directions. A home node talks to tens of peers; each costs about 0.3 MB. */
export const MAX_CONNECTIONS = 100;

/** Connections accepted from one host each second: a reconnecting peer needs one, a flood gets no more. */
export const MAX_INBOUND_PER_SECOND = 20;

/** Inbound connections that may be in their handshake at once. */
export const MAX_PENDING_INBOUND = 32;

/** Hosts whose inbound rate is remembered at once; the oldest is forgotten beyond. */
export const MAX_RATED_HOSTS = 4096;

/** Streams a peer may hold open on one connection, all protocols together. */
export const MAX_STREAMS_PER_CONNECTION = 256;

/** Streams of one protocol a peer may hold open on one connection, where the protocol says nothing else. */
export const MAX_STREAMS_PER_PROTOCOL = 32;

/** Bytes that may wait in a stream when its sender is told to go on: one yamux window. */
export const MAX_QUEUED_BYTES = 256 * 1024;

/** Longest a dial may take, addresses tried one after another included, milliseconds. */
export const DIAL_TIMEOUT_MS = 10_000;

/** Longest the protocol of a new stream may take to agree on, milliseconds. */
export const NEGOTIATION_TIMEOUT_MS = 10_000;

/** Longest a block is searched among the connected peers, milliseconds. */
export const FETCH_TIMEOUT_MS = 10_000;

/** Wait for the peer that served the root before before the others are asked too, milliseconds. */
export const HEDGE_MS = 1000;

/** Longest wait for a peer that is connecting just now to tell its protocols, milliseconds. */
export const EXPECTED_PEER_MS = 2000;

/** Peers asked for one block at once where none has served its root: each may send a copy. */
export const FETCH_FANOUT = 3;

/** Largest block taken from or given to a peer, bytes. @see https://specs.ipfs.tech/bitswap-protocol/#block-sizes */
export const MAX_BLOCK_BYTES = 2 * 1024 * 1024;

/** Largest bitswap message, bytes: Kubo's. @see https://specs.ipfs.tech/bitswap-protocol/#block-sizes */
export const MAX_BITSWAP_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Wants remembered per peer; the oldest and least urgent are dropped beyond. */
export const MAX_WANTS_PER_PEER = 256;

/** Peers this node may dial by id because its owner named them; the oldest is forgotten beyond. */
export const MAX_ALLOWED_DIALS = 1024;

/** Longest text accepted as a multiaddr, bytes. */
export const MAX_MULTIADDR_LENGTH = 1024;

/** Longest that connections may take to close in good order when the node stops, milliseconds. */
export const CLOSE_TIMEOUT_MS = 1000;

/** Peers whose reputation is kept; the one longest unused is forgotten beyond, banned ones last. */
export const MAX_KNOWN_PEERS = 4096;

/** CIDs remembered of what one peer has served; the oldest is forgotten beyond. */
export const MAX_AFFINITY_PER_PEER = 64;

/** CIDs whose parents (directory, collection, manifest) are remembered; the oldest is forgotten beyond. */
export const MAX_FAMILY_MEMBERS = 16_384;

/** Members read from one directory, collection or manifest. */
export const MAX_MEMBERS_READ = 1024;

/** Parents remembered of one CID. */
export const MAX_PARENTS_PER_MEMBER = 4;

/** Time in which half of what was learnt of a peer fades, milliseconds. */
export const REPUTATION_HALF_LIFE_MS = 24 * 3600 * 1000;

/** How often changed reputations are written, milliseconds; a ban is written at once. */
export const REPUTATION_WRITE_MS = 5000;

/** Longest wait after failures in a row before a peer is asked again, milliseconds. */
export const BACKOFF_MAX_MS = 300_000;

/** First ban of a peer that sent a bad block, milliseconds; each further one is twice as long. */
export const BAN_MS = 10 * 60 * 1000;

/** Longest ban, milliseconds. */
export const BAN_MAX_MS = 24 * 3600 * 1000;

/** Limits that the configuration may change. */
export interface PeerLimits {
  readonly maxConnections: number;
  readonly maxInboundPerSecond: number;
  readonly maxPendingInbound: number;
  readonly maxStreamsPerConnection: number;
  readonly dialTimeoutMs: number;
  readonly fetchTimeoutMs: number;
  readonly hedgeMs: number;
}

/** What holds where the configuration says nothing. */
export const DEFAULT_PEER_LIMITS: PeerLimits = {
  maxConnections: MAX_CONNECTIONS,
  maxInboundPerSecond: MAX_INBOUND_PER_SECOND,
  maxPendingInbound: MAX_PENDING_INBOUND,
  maxStreamsPerConnection: MAX_STREAMS_PER_CONNECTION,
  dialTimeoutMs: DIAL_TIMEOUT_MS,
  fetchTimeoutMs: FETCH_TIMEOUT_MS,
  hedgeMs: HEDGE_MS,
};
