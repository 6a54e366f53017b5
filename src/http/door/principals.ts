import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Action, CidcastError, type Principal } from "../../core/index.ts";
import { isLoopbackHost } from "./hosts.ts";
import type { TenantDoor } from "./tenants.ts";

/** What needs no token: the pages' own code, and whether the node is well. */
const ANONYMOUS_SCOPES: ReadonlySet<Action> = new Set<Action>(["pages:read", "node:health"]);
/** How tokens of tenants begin, and those that were made for one piece of content. */
const TENANT_TOKEN = /^cc[tp]_/;

/** Tells who asks, by the node's own token. */
export type OwnerResolver = (request: IncomingMessage, door: "http" | "ws") => Principal;
/** Tells who asks, also by tokens of tenants. `UNAUTHENTICATED` and `FORBIDDEN` when such a token is not good. */
export type PrincipalResolver = (request: IncomingMessage, door: "http" | "ws") => Promise<Principal>;

/** Without a token only loopback is served, and whoever reaches it is the owner; `INVALID_CONFIG` for anything else. */
export function createOwnerResolver(init: {
  readonly host: string;
  readonly token: string | undefined;
}): OwnerResolver {
  const { host, token } = init;
  if (token === undefined || token === "") {
    if (!isLoopbackHost(host)) {
      throw new CidcastError(
        "INVALID_CONFIG",
        `Listening on ${host} lets other machines reach this node: set a token (--token or CIDCAST_TOKEN) that they must show, or listen on 127.0.0.1`,
      );
    }
    return (_request, door) => ({ kind: "local", id: "local", door, scopes: new Set(["*"]) });
  }
  const expected = digest(token);
  return (request, door) => {
    const given = tokenOf(request);
    // Digests have one length, so the comparison tells nothing about the token's.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) {
      return { kind: "token", id: "token", door, scopes: new Set(["*"]) };
    }
    return { kind: "anonymous", id: "anonymous", door, scopes: ANONYMOUS_SCOPES };
  };
}

/** Who shows a tenant's token is that tenant, also where everybody else would be the owner. */
export function createPrincipalResolver(
  owner: OwnerResolver,
  tenants: TenantDoor | undefined,
): PrincipalResolver {
  return async (request, door) => {
    const token = tokenOf(request);
    if (tenants === undefined || token === undefined || !TENANT_TOKEN.test(token))
      return owner(request, door);
    const { remoteAddress } = request.socket;
    return tenants.resolveToken(token, { door, remoteAddress, tenantId: tenantOf(request), playback: true });
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function tokenOf(request: IncomingMessage): string | undefined {
  const bearer = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? "");
  return bearer?.[1] ?? queryOf(request).get("token") ?? undefined;
}

/** The tenant that the caller says it belongs to. */
function tenantOf(request: IncomingMessage): string | undefined {
  const header = request.headers["x-tenant-id"];
  return (typeof header === "string" ? header : undefined) ?? queryOf(request).get("tenant_id") ?? undefined;
}

function queryOf(request: IncomingMessage): URLSearchParams {
  return new URLSearchParams(request.url?.split("?", 2)[1] ?? "");
}
