import type { OwnedContentEvents } from "./content/content-events.ts";
import type { Quotas } from "@cidcast/protocols/tenancy";
import type { Door, Principal } from "../core/index.ts";

/** Somebody whose data is kept apart from everybody else's. */
export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly active: boolean;
  readonly createdAtMs: number;
  readonly quotas: Quotas;
}

/** What is known of a token; its text is not kept. */
export interface TokenInfo {
  readonly id: string;
  readonly tenantId: string;
  readonly tenantName: string;
  /** The first characters of its text, to tell tokens apart. */
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly active: boolean;
  /** Undefined: it does not expire. */
  readonly expiresAtMs: number | undefined;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number | undefined;
}

/** A new token with its text: shown here and never again. */
export interface CreatedToken extends TokenInfo {
  readonly token: string;
}

/** A stored credential, without its value. */
export interface CredentialInfo {
  readonly id: string;
  readonly tenantId: string;
  readonly toolName: string;
  readonly credentialKey: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** A client's session at one of the doors. */
export interface SessionInfo {
  readonly id: string;
  /** Undefined: the node's owner. */
  readonly tenantId: string | undefined;
  readonly tokenId: string | undefined;
  readonly door: string;
  readonly clientName: string | undefined;
  readonly createdAtMs: number;
  readonly lastSeenAtMs: number;
  readonly closedAtMs: number | undefined;
}

/** A tool call to be written to the audit log. */
export interface ToolCall {
  readonly tenantId: string | undefined;
  readonly sessionId: string | undefined;
  /** Id of the principal that called. */
  readonly caller: string;
  readonly tool: string;
  readonly arguments: unknown;
  readonly result: string | undefined;
  readonly error: string | undefined;
  readonly durationMs: number;
  readonly atMs: number;
}

/** A tool call as it stands in the audit log. */
export interface AuditRecord {
  readonly seq: number;
  readonly tenantId: string;
  readonly sessionId: string;
  readonly caller: string;
  readonly tool: string;
  /** JSON, secrets left out. */
  readonly arguments: string;
  readonly result: string | undefined;
  readonly error: string | undefined;
  readonly durationMs: number;
  readonly atMs: number;
  readonly previousHash: string;
  readonly hash: string;
}

/** How a caller is known, for {@link TokenResolver}. */
export interface ResolveOptions {
  /** The tenant that the caller says it belongs to; checked when given. */
  readonly tenantId?: string | undefined;
  readonly door: Door;
  /** Address of the caller: wrong tokens are counted per address. */
  readonly remoteAddress?: string | undefined;
  /** Take playback tokens too: for doors that ask an authoriser about each piece of content. */
  readonly playback?: boolean;
}

/** A token that somebody else has issued and checked. */
export interface AdoptedToken {
  /** Names it in logs and audit: never a secret, and another for each token, as sessions belong to one. */
  readonly id: string;
  readonly tenantId: string;
  readonly scopes: readonly string[];
  /** Undefined: it does not expire. */
  readonly expiresAtMs: number | undefined;
  readonly door: Door;
}

/** Tells who a token belongs to. */
export interface TokenResolver {
  /**
   * The principal of a token. `UNAUTHENTICATED` ("Invalid or expired token"), `FORBIDDEN` ("Token does not match tenant"),
   * `LIMIT_REACHED` when the address has guessed too often.
   */
  resolveToken(text: string, options: ResolveOptions): Promise<Principal>;
  /** True until the principal's token is revoked or expires, or its tenant is switched off. Costs no I/O. */
  isLive(principal: Principal): boolean;
  /** Calls `onEnd` once, within the same tick as the revocation or at expiry. Returns how to stop watching. */
  watch(principal: Principal, onEnd: (reason: EndReason) => void): () => void;
}

/** Why a principal is one no longer. */
export type EndReason = "token_revoked" | "token_expired" | "tenant_deactivated";

/** Events of this domain, and what a tenant is told of its content. Never a secret in them. */
export interface TenancyEvents extends OwnedContentEvents {
  tenant_created: { readonly tenantId: string; readonly name: string };
  tenant_deactivated: { readonly tenantId: string };
  token_created: { readonly tokenId: string; readonly tenantId: string };
  token_revoked: { readonly tokenId: string; readonly tenantId: string };
  token_expired: { readonly tokenId: string; readonly tenantId: string };
  credential_stored: { readonly tenantId: string; readonly toolName: string; readonly credentialKey: string };
  credential_removed: { readonly tenantId: string; readonly credentialId: string };
}
