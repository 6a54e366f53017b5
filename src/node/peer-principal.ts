import { createHash, timingSafeEqual } from "node:crypto";
import { CidcastError, type Principal } from "../core/index.ts";
import type { Tenancy } from "../tenancy/index.ts";

/** What a peer shows to be more than a peer. */
export interface PeerToken {
  readonly token: string | undefined;
  readonly tenantId?: string | undefined;
}

/** How tokens of tenants begin. */
const TENANT_TOKEN = "cct_";

/**
 * Tells who a peer is: the owner by the node's token, a tenant by one of its own, else a peer without rights. That it comes
 * from this machine proves nothing: relays and tunnels do too. `UNAUTHENTICATED` for a token that is not good.
 */
export function createPeerPrincipals(init: {
  readonly token: string | undefined;
  readonly tenancy: Pick<Tenancy, "resolveToken">;
}): (peerId: string, shown: PeerToken) => Promise<Principal> {
  const expected = init.token === undefined ? undefined : digest(init.token);
  return async (peerId, { token, tenantId }) => {
    if (token === undefined) {
      return { kind: "peer", id: peerId, door: "libp2p", scopes: new Set() };
    }
    if (token.startsWith(TENANT_TOKEN)) {
      return init.tenancy.resolveToken(token, { door: "libp2p", remoteAddress: peerId, tenantId });
    }
    // Digests have one length, so the comparison tells nothing about the token's.
    if (expected !== undefined && timingSafeEqual(digest(token), expected)) {
      return { kind: "token", id: "token", door: "libp2p", scopes: new Set(["*"]) };
    }
    throw new CidcastError("UNAUTHENTICATED", "Invalid or expired token");
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
