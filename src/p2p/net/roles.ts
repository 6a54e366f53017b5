/** What a node may be among its peers. */
export type RoleName = "master" | "worker" | "leecher" | "gateway";

/** Protocols of this family that a role answers or not. */
export type RoleProtocol = "mcp" | "content" | "metadata" | "file" | "transfer";

/** What a role does. Parts that are not configured in stay off whatever the role says. */
export interface Role {
  /** Protocols beside bitswap, identify and ping that the node answers. */
  readonly protocols: readonly RoleProtocol[];
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
}

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
  },
  worker: {
    protocols: ["mcp", "content", "metadata", "file", "transfer"],
    dht: "server",
    relayService: true,
    relayClient: true,
    maxConnections: 100,
    dialsAnnounced: true,
    randomWalk: true,
  },
  leecher: {
    protocols: [],
    dht: "client",
    relayService: false,
    relayClient: true,
    maxConnections: 10,
    dialsAnnounced: false,
    randomWalk: false,
  },
  gateway: {
    protocols: ["mcp", "content", "metadata"],
    dht: "client",
    relayService: false,
    relayClient: true,
    maxConnections: 300,
    dialsAnnounced: true,
    randomWalk: true,
  },
};

/** The role where the configuration names none. */
export const DEFAULT_ROLE: RoleName = "worker";

/** True when a peer of the role answers a protocol. */
export function answers(role: RoleName, protocol: RoleProtocol): boolean {
  return ROLES[role].protocols.includes(protocol);
}
