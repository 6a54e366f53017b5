/** What a node may be among its peers. */
export type RoleName = "master" | "worker" | "leecher" | "gateway";

/** What a role does. Parts that are not configured in stay off whatever the role says. */
export interface Role {
  /** Protocols beside bitswap, identify and ping that the node answers. */
  readonly protocols: readonly ("mcp" | "content" | "metadata" | "file" | "transfer")[];
  /** How it takes part in the DHT, where there is one. */
  readonly dht: "server" | "client";
  /** Carries other peers' connections. */
  readonly relayService: boolean;
  /** Lets itself be reached through relays. */
  readonly relayClient: boolean;
  readonly maxConnections: number;
  /** Dials peers that are announced, without being told to. */
  readonly dialsAnnounced: boolean;
  /** Walks the DHT for peers. */
  readonly randomWalk: boolean;
  /** Largest block kept for others that this node did not ask for itself, bytes; 0 keeps none. */
  readonly cacheBlockBytes: number;
  /** Fetches what peers want urgently before it is asked for it. */
  readonly proactiveFetch: boolean;
}

/** Largest block cached for others, bytes. */
const CACHE_BLOCK_BYTES = 10 * 1024 * 1024;

/** The roles, as data. */
export const ROLES: Readonly<Record<RoleName, Role>> = {
  master: {
    protocols: ["mcp", "content", "metadata", "file", "transfer"],
    dht: "server",
    relayService: true,
    relayClient: true,
    maxConnections: 300,
    dialsAnnounced: true,
    randomWalk: true,
    cacheBlockBytes: CACHE_BLOCK_BYTES,
    proactiveFetch: true,
  },
  worker: {
    protocols: ["mcp", "content", "metadata", "file"],
    dht: "server",
    relayService: true,
    relayClient: true,
    maxConnections: 100,
    dialsAnnounced: true,
    randomWalk: true,
    cacheBlockBytes: CACHE_BLOCK_BYTES,
    proactiveFetch: false,
  },
  leecher: {
    protocols: [],
    dht: "client",
    relayService: false,
    relayClient: true,
    maxConnections: 10,
    dialsAnnounced: false,
    randomWalk: false,
    cacheBlockBytes: 0,
    proactiveFetch: false,
  },
  gateway: {
    protocols: ["mcp", "content", "metadata"],
    dht: "client",
    relayService: false,
    relayClient: true,
    maxConnections: 300,
    dialsAnnounced: true,
    randomWalk: true,
    cacheBlockBytes: CACHE_BLOCK_BYTES,
    proactiveFetch: false,
  },
};

/** The role where the configuration names none. */
export const DEFAULT_ROLE: RoleName = "worker";
