import { createHash } from "node:crypto";
import { SCOPE_NAMES } from "@cidcast/protocols/tenancy";
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from "jose";
import { CidcastError, type Clock, type Logger, type Principal } from "../core/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import { MAX_OAUTH_TOKEN_LENGTH, OAUTH_CLOCK_TOLERANCE_SECONDS, OAUTH_KEYS_TIMEOUT_MS } from "./limits.ts";

/** Whose access tokens `/mcp` takes beside the node's own. */
export interface OAuthInit {
  /** Who issues them, exactly as the tokens say. */
  readonly issuer: string;
  /** Whom they are for: the address at which clients reach `/mcp`. */
  readonly audience: string;
  /** Where the issuer's keys are. */
  readonly jwksUrl: string;
  /** The claim that names the tenant. */
  readonly tenantClaim: string;
}

/** The node as a resource server of OAuth 2.1. */
export interface OAuth {
  /** Metadata of the protected resource (RFC 9728). */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Where the metadata lie, below the node's address. */
  readonly metadataPaths: readonly string[];
  /** What a refused client is told: where the metadata are. */
  readonly challenge: string;
  /** The principal of an access token. `UNAUTHENTICATED`, `LIMIT_REACHED` as other tokens. */
  principalOf(token: string, remoteAddress: string | undefined): Promise<Principal>;
}

/** Only keys of which the issuer alone has the secret half. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
/** Codes for what is wrong with the issuer's keys and not with the token. */
const KEYS_MISSING: ReadonlySet<string> = new Set([
  "ERR_JOSE_GENERIC",
  "ERR_JWKS_TIMEOUT",
  "ERR_JWKS_INVALID",
]);
/** Characters of a holder's name that logs show. */
const SHOWN_SUBJECT = 64;
const WELL_KNOWN = "/.well-known/oauth-protected-resource";

/** True for what has the form of a signed JWT; tokens of tenants have no dots. */
export function isJwt(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
}

export function createOAuth(
  init: OAuthInit,
  components: { readonly tenancy: Tenancy; readonly clock: Clock; readonly log: Logger },
): OAuth {
  const { issuer, audience, tenantClaim } = init;
  const { tenancy, clock, log } = components;
  const keys = createRemoteJWKSet(new URL(init.jwksUrl), { timeoutDuration: OAUTH_KEYS_TIMEOUT_MS });
  const resource = new URL(audience);
  const path = resource.pathname.replace(/\/+$/, "");
  const refuse = (address: string | undefined, cause: unknown): never => {
    tenancy.guesses.failed(address);
    throw new CidcastError("UNAUTHENTICATED", "Invalid or expired token", { cause });
  };
  const verify = async (token: string, address: string | undefined): Promise<JWTPayload> => {
    if (token.length > MAX_OAUTH_TOKEN_LENGTH) return refuse(address, "the token is too long");
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ["sub", "exp"],
        clockTolerance: OAUTH_CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(clock.now()),
      });
      return payload;
    } catch (error) {
      // A wrong token is the caller's fault; keys that cannot be had are not.
      if (error instanceof errors.JOSEError && !KEYS_MISSING.has(error.code)) return refuse(address, error);
      log.warn({ err: error }, "the keys of the token issuer cannot be read");
      throw new CidcastError("FEATURE_DISABLED", "The token cannot be checked now", {
        cause: error,
        retryAfterSeconds: 5,
      });
    }
  };
  return {
    metadata: {
      resource: audience,
      authorization_servers: [issuer],
      scopes_supported: SCOPE_NAMES,
      bearer_methods_supported: ["header"],
      resource_name: "cidcast",
    },
    metadataPaths: path === "" ? [WELL_KNOWN] : [WELL_KNOWN, WELL_KNOWN + path],
    challenge: `Bearer resource_metadata="${new URL(WELL_KNOWN + path, resource).href}"`,
    async principalOf(token, remoteAddress) {
      tenancy.guesses.check(remoteAddress);
      const payload = await verify(token, remoteAddress);
      const tenantId = payload[tenantClaim];
      const tenant =
        typeof tenantId === "string" ? await tenancy.tenants.get(tenantId).catch(() => undefined) : undefined;
      if (tenant?.active !== true) return refuse(remoteAddress, "the token names no tenant of this node");
      const { sub = "", exp = 0, scope } = payload;
      const asked = typeof scope === "string" ? scope.split(" ") : [];
      return tenancy.adoptToken({
        // Two tokens of one holder may have different scopes: a session is of one token.
        id: `oauth:${sub.slice(0, SHOWN_SUBJECT)}:${digest(token)}`,
        tenantId: tenant.id,
        scopes: SCOPE_NAMES.filter(name => asked.includes(name)),
        expiresAtMs: (exp + OAUTH_CLOCK_TOLERANCE_SECONDS) * 1000,
        door: "http",
      });
    },
  };
}

/** Tells tokens apart; 64 bits of what cannot be turned back. */
function digest(token: string): string {
  return createHash("sha256").update(token).digest("hex").slice(0, 16);
}
