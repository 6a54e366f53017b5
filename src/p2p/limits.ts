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

/**
 * Longest that a peer may take to answer libp2p's own pings before its connection is cut, milliseconds. They queue behind what
 * the connection carries: the usual five seconds cut off transfers between busy machines.
 */
export const PING_TIMEOUT_MS = 30_000;

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

/** Peers in libp2p's address book; the one longest not written about is forgotten beyond, connected ones stay. */
export const MAX_PEER_BOOK = 4096;

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

/** Records of others that a DHT server keeps; the oldest is forgotten beyond. */
export const MAX_DHT_RECORDS = 20_000;

/** Largest record of the DHT, bytes. */
export const MAX_DHT_RECORD_BYTES = 16 * 1024;

/** Streams of the DHT that may be open at once on one connection. */
export const MAX_DHT_STREAMS = 32;

/** Relayed connections of one peer that a relay carries at once. */
export const MAX_RELAY_STREAMS = 64;

/** Longest a relay works on one request, milliseconds. */
export const RELAY_TIMEOUT_MS = 30_000;

/** How long a place at a relay is kept without being asked for again, milliseconds. */
export const RELAY_RESERVATION_TTL_MS = 2 * 3600 * 1000;

/** Peers whose word on our outer address is kept; the oldest is forgotten beyond. */
export const MAX_OBSERVERS = 32;

/** Hole punches under way at once. */
export const MAX_PUNCHES = 16;

/** Tries of one hole punch. */
export const PUNCH_ATTEMPTS = 3;

/** Longest one try of a hole punch may take, milliseconds. */
export const PUNCH_TIMEOUT_MS = 5000;

/** Addresses that a peer may name to be dialled at once by both. */
export const MAX_PUNCH_ADDRESSES = 8;

/** Largest message of a hole punch, bytes. @see https://github.com/libp2p/specs/blob/master/relay/DCUtR.md */
export const MAX_DCUTR_MESSAGE_BYTES = 4096;

/** How long a relayed connection stays when there is a direct one: what it carries ends meanwhile, milliseconds. */
export const RELAY_LINGER_MS = 10_000;

/** Connections at which peers that are found are no longer dialled: enough to find content, far from the limit. */
export const WANTED_PEERS = 32;

/** Dials of found peers under way at once. */
export const MAX_DISCOVERY_DIALS = 4;

/** Time from the start to the first walk through the DHT, milliseconds. */
export const RANDOM_WALK_DELAY_MS = 60_000;

/** Time between two walks through the DHT, milliseconds. */
export const RANDOM_WALK_INTERVAL_MS = 30 * 60_000;

/** Longest walk through the DHT, milliseconds. */
export const RANDOM_WALK_TIMEOUT_MS = 60_000;

/** Longest search for providers or for a peer, milliseconds. */
export const FIND_TIMEOUT_MS = 30_000;

/** Providers given by one search unless it asks for fewer or more. */
export const MAX_FOUND_PROVIDERS = 20;

/** Longest wait for the answer of an HTTP router, milliseconds. */
export const ROUTER_TIMEOUT_MS = 10_000;

/** Largest answer of an HTTP router, bytes. */
export const MAX_ROUTER_ANSWER_BYTES = 1024 * 1024;

/** Providers taken from one answer of an HTTP router. */
export const MAX_ROUTER_PROVIDERS = 100;

/** CIDs that may wait to be told to the network. */
export const MAX_PROVIDE_QUEUE = 4096;

/** CIDs told to the network at once. */
export const PROVIDE_CONCURRENCY = 4;

/** Longest that telling one CID may take, milliseconds: a walk through the DHT and twenty peers to tell. */
export const PROVIDE_TIMEOUT_MS = 60_000;

/** Wait before what nobody took is told again, milliseconds; doubles while that goes on. */
export const PROVIDE_RETRY_MS = 1000;

/** Longest such wait, milliseconds. */
export const PROVIDE_RETRY_MAX_MS = 600_000;

/** How often everything is told anew, milliseconds: half of what others keep it. @see https://specs.ipfs.tech/routing/kad-dht/ */
export const REPROVIDE_INTERVAL_MS = 22 * 3600 * 1000;

/** Largest frame of gossipsub taken from a peer, bytes. */
export const MAX_PUBSUB_MESSAGE_BYTES = 256 * 1024;

/** CIDs of which others' announcements are remembered; the one longest not heard of is forgotten beyond. */
export const MAX_ANNOUNCED_CIDS = 10_000;

/** Peers remembered to have announced one CID. */
export const MAX_ANNOUNCERS_PER_CID = 8;

/** How long an announcement counts, milliseconds. */
export const ANNOUNCE_LIFE_MS = 24 * 3600 * 1000;

/** How far the time of an announcement may be off, milliseconds. */
export const MAX_CLOCK_SKEW_MS = 3600 * 1000;

/** How often a node tells that it is there, milliseconds. */
export const ANNOUNCE_INTERVAL_MS = 300_000;

/** How often a relay tells that it is one, milliseconds. */
export const RELAY_ANNOUNCE_INTERVAL_MS = 3600 * 1000;

/** Providers of what is being read that are dialled when no connected peer has it. */
export const MAX_PROVIDERS_DIALLED = 6;

/** Longest dial of a provider that was found for a block, milliseconds. */
export const FETCH_CONNECT_MS = 5000;

/** Roots whose providers were looked for a moment ago; the oldest is forgotten beyond. */
export const MAX_SEARCHED_ROOTS = 256;

/** How long a search for the providers of a root is not repeated, milliseconds. */
export const SEARCH_AGAIN_MS = 15_000;

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
