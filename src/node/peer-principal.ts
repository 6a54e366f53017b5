import { createHash, timingSafeEqual } from "node:crypto";
import { PLAYBACK_TOKEN_PREFIX } from "@cidcast/protocols/playback";
import type { Config } from "../config/index.ts";
import { type Action, CidcastError, type Principal } from "../core/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import type { Live } from "./live.ts";

/** What a peer shows to be more than a peer. */
export interface PeerToken {
  readonly token: string | undefined;
  readonly tenantId?: string | undefined;
}

/** How tokens of tenants begin. */
const TENANT_TOKEN = "cct_";
const EVERYTHING: ReadonlySet<string> = new Set(["*"]);

/** What any peer may ask: content whose CID it knows, as by bitswap. */
const KNOWN_CONTENT: ReadonlySet<Action> = new Set<Action>(["content:read"]);
const NOTHING: ReadonlySet<Action> = new Set<Action>();

/** What a peer may do that shows nothing and was granted nothing. */
export function everybodyMay({ p2p }: Pick<Config, "p2p">): ReadonlySet<Action> {
  return p2p.serve === "everybody" ? KNOWN_CONTENT : NOTHING;
}

/** Whether a peer gets blocks over protocols that know no token. */
export function mayBeServed({ p2p }: Pick<Config, "p2p">, peerId: string): boolean {
  return p2p.serve === "everybody" || p2p.grantedPeers.includes(peerId);
}

export interface PeerPrincipalsInit {
  /** The node's own token. */
  readonly token: string | undefined;
  readonly tenancy: Pick<Tenancy, "resolveToken" | "principalOfToken">;
  /** Ids of tenants' tokens by the PeerId that acts with them: `<PeerId>=<id>`. */
  readonly peerTokens: readonly string[];
  /** What a peer may do that shows nothing. */
  readonly everybody?: ReadonlySet<Action>;
  /** PeerIds that may do everything. */
  readonly granted?: readonly string[];
  /** Take playback tokens too: where an authoriser is asked about each piece of content. */
  readonly playback?: boolean;
}

/** Tells who a peer is. `UNAUTHENTICATED` for a token that is not good. */
export type PeerPrincipals = (peerId: string, shown: PeerToken) => Promise<Principal>;

/**
 * Tells who a peer is: the owner by the node's token, a tenant by one of its own or by a setting that names the peer, else a
 * peer. That it comes from this machine proves nothing: relays and tunnels do too.
 */
function createPeerPrincipals(init: PeerPrincipalsInit): PeerPrincipals {
  const { tenancy, everybody = new Set<Action>(), playback = false } = init;
  const granted = new Set(init.granted);
  const tokenIds = tokenIdsOf(init.peerTokens);
  const known = async (peerId: string): Promise<Principal> => {
    const peer = { kind: "peer", id: peerId, door: "libp2p" } as const;
    if (granted.has(peerId)) return { ...peer, scopes: EVERYTHING };
    const tokenId = tokenIds.get(peerId);
    const tenant = tokenId === undefined ? undefined : await tenancy.principalOfToken(tokenId, "libp2p");
    return tenant ?? { ...peer, scopes: everybody };
  };
  return async (peerId, { token, tenantId }) => {
    if (token === undefined) return known(peerId);
    if (token.startsWith(TENANT_TOKEN) || (playback && token.startsWith(PLAYBACK_TOKEN_PREFIX))) {
      return tenancy.resolveToken(token, { door: "libp2p", remoteAddress: peerId, tenantId, playback });
    }
    return ownerBy(token, init.token);
  };
}

/** The owner, who is the same whichever peer shows the node's token. `UNAUTHENTICATED` for any other. */
function ownerBy(token: string, expected: string | undefined): Principal {
  // Digests have one length, so the comparison tells nothing about the token's.
  if (expected === undefined || !timingSafeEqual(digest(token), digest(expected)))
    throw new CidcastError("UNAUTHENTICATED", "Invalid or expired token");
  return { kind: "token", id: "token", door: "libp2p", scopes: EVERYTHING };
}

/** The same by the settings in force. */
export function livePeerPrincipals(live: Live, init: (config: Config) => PeerPrincipalsInit): PeerPrincipals {
  let current = createPeerPrincipals(init(live.config));
  live.follow(config => {
    current = createPeerPrincipals(init(config));
  });
  return (peerId, shown) => current(peerId, shown);
}

/** Who a peer is where tenants have nothing: the owner by the node's token or a grant, else everybody. */
export function peerPrincipals(
  config: () => Pick<Config, "p2p" | "token">,
): (peerId: string, token: string | undefined) => Principal {
  return (peerId, token) => {
    const settings = config();
    if (token !== undefined) return ownerBy(token, settings.token);
    const granted = settings.p2p.grantedPeers.includes(peerId);
    return {
      kind: "peer",
      id: peerId,
      door: "libp2p",
      scopes: granted ? EVERYTHING : everybodyMay(settings),
    };
  };
}

/** `INVALID_CONFIG` for what is not `<PeerId>=<id>`. */
function tokenIdsOf(pairs: readonly string[]): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  for (const pair of pairs) {
    const [peerId, tokenId, ...more] = pair.split("=");
    if (!peerId || !tokenId || more.length > 0) {
      throw new CidcastError("INVALID_CONFIG", `p2p.peerTokens: ${pair} is not <PeerId>=<id of a token>`);
    }
    ids.set(peerId, tokenId);
  }
  return ids;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
