import type { PlaybackQuality } from "@cidcast/protocols/playback";
import { CidcastError } from "./errors.ts";

/** How somebody reached the node. */
export type Door = "http" | "ws" | "libp2p" | "cli" | "embed";

/** Who asks. */
export interface Principal {
  readonly kind: "local" | "token" | "anonymous" | "peer";
  /** Stable id for logs and audit: never a secret. */
  readonly id: string;
  readonly door: Door;
  /** Tenant it belongs to, once there are several. */
  readonly tenantId?: string;
  /** What it may do; `*` is everything. */
  readonly scopes: ReadonlySet<string>;
  /** Narrows the scopes to some content, for who came with a token that was made for it. */
  readonly capability?: Capability;
}

/** The content that a caller may have, and how. */
export interface Capability {
  /** Roots; everything below them is included. */
  readonly cids: readonly string[];
  readonly maxQuality: PlaybackQuality | undefined;
  /** SHA-256 of the certificate that the viewer has to hold, base64url. */
  readonly viewerKey: string | undefined;
}

/** Everything that can be asked of the node, by domain and verb. */
export type Action =
  | "node:health"
  | "node:status"
  | "node:metrics"
  | "node:admin"
  | "content:read"
  | "content:list"
  | "content:add"
  | "content:remove"
  | "content:pin"
  | "media:probe"
  | "media:play"
  | "media:control"
  /** Prepared ladders and their jobs. */
  | "media:prepare"
  /** Making tokens that let others play. */
  | "media:share"
  | "events:subscribe"
  | "rooms:join"
  | "peers:read"
  | "peers:connect"
  | "transfer:start"
  | "pages:read"
  /** MCP and its API: each request shows a tenant's token, which MCP itself checks. */
  | "mcp:connect"
  /** Tenants and tokens: each request shows the admin key. */
  | "tenancy:admin";

/** What the action is done to. */
export interface Resource {
  readonly cid?: string;
  readonly sessionId?: string;
  readonly name?: string;
}

/** Decides whether a principal may do something; asked at every door. */
export interface Authoriser {
  /** Throws `UNAUTHENTICATED` or `FORBIDDEN` when it may not. */
  authorise(principal: Principal, action: Action, resource?: Resource): void;
}

/** The policy of a node of one owner: a scope `*`, or the action's own name, lets a principal act. */
export const scopeAuthoriser: Authoriser = {
  authorise(principal, action, resource) {
    if (principal.capability !== undefined) requireCapability(principal.capability, action, resource);
    if (principal.scopes.has("*") || principal.scopes.has(action)) return;
    if (principal.kind === "anonymous") {
      throw new CidcastError("UNAUTHENTICATED", `A token is needed for ${action}`);
    }
    throw new CidcastError("FORBIDDEN", `${principal.id} may not ${action}`);
  },
};

/** Roots in the forms that references have: with or without `/ipfs/` before, and a path after. */
function rootOf(ref: string): string {
  return ref.replace(/^(?:\/?ipfs\/|ipfs:\/\/)/, "").split(/[/?#]/, 1)[0] ?? "";
}

function requireCapability(
  { cids, viewerKey }: Capability,
  action: Action,
  resource: Resource | undefined,
): void {
  if (resource?.cid !== undefined && !cids.includes(rootOf(resource.cid))) {
    throw new CidcastError("FORBIDDEN", "This token was made for other content");
  }
  // Nobody proves over HTTP who they are.
  if (viewerKey !== undefined && action === "content:read") {
    throw new CidcastError("FORBIDDEN", "This token is for one viewer, over WebRTC alone");
  }
}

/** The principal of code that embeds the node, and of the CLI when it opens the data directory itself. */
export const ownerPrincipal: Principal = {
  kind: "local",
  id: "owner",
  door: "embed",
  scopes: new Set(["*"]),
};
