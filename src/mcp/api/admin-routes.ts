import type { Content } from "../../content/index.ts";
import { auditRoutes } from "./audit-routes.ts";
import {
  createTenantBody,
  createTokenBody,
  quotasSchema,
  storeCredentialBody,
  tenantPage,
  tenantQuery,
  tokenPage,
} from "@cidcast/protocols/tenancy";
import { CidcastError, type Clock, type Logger } from "../../core/index.ts";
import {
  ALL_SCOPES,
  isLoopback,
  sameKey,
  type Tenancy,
  type Tenant,
  type TokenInfo,
} from "../../tenancy/index.ts";
import type { ServerDefinition } from "../types.ts";
import { type ConsoleSource, consoleRoutes } from "./console-routes.ts";
import {
  bearerOf,
  created,
  defineRoute,
  isoTime,
  type McpRoute,
  ok,
  parseBody,
  parseQuery,
  type RouteInit,
  type RouteRequest,
} from "./route.ts";

/** Calls shown on a tenant's dashboard. */
const RECENT_CALLS = 20;

export interface AdminRoutesInit {
  readonly adminKey: string;
  /** Callers from loopback need no key. */
  readonly openOnLoopback: boolean;
  /** What the console shows of the node. */
  readonly console?: ConsoleSource | undefined;
  /** Writes a backup of the node. */
  readonly backup?: BackupSource | undefined;
}

/** A backup of the node as a tar file; `blocks`: with every block that is pinned. */
export type BackupSource = (options: {
  readonly blocks: boolean;
  readonly signal: AbortSignal | undefined;
}) => AsyncIterable<Uint8Array>;

/** The admin API of tenants, tokens and credentials. */
export function adminRoutes(
  init: AdminRoutesInit,
  components: {
    readonly tenancy: Tenancy;
    readonly definition: ServerDefinition;
    readonly clock: Clock;
    readonly log: Logger;
    /** Undefined: exports are not kept as content. */
    readonly content?: Pick<Content, "add"> | undefined;
  },
): McpRoute[] {
  const { tenancy, log } = components;
  const route = (init2: Omit<RouteInit, "access">): McpRoute =>
    defineRoute(log, {
      ...init2,
      access: "admin-key",
      handle: async request => {
        requireAdmin(init, tenancy, request);
        return init2.handle(request);
      },
    });
  return [
    ...tenantRoutes(route, tenancy),
    ...tokenRoutes(route, tenancy),
    ...credentialRoutes(route, tenancy),
    ...overviewRoutes(route, components),
    ...auditRoutes(route, tenancy, components.content),
    ...backupRoutes(route, init.backup),
    ...consoleRoutes(route, { tenancy, clock: components.clock, source: init.console }),
  ];
}

/** Makes a route that asks for the admin key first. */
export type MakeRoute = (init: Omit<RouteInit, "access">) => McpRoute;

function requireAdmin(init: AdminRoutesInit, tenancy: Tenancy, request: RouteRequest): void {
  tenancy.guesses.check(request.remoteAddress);
  const shown = request.header("x-admin-key") ?? bearerOf(request);
  if (shown !== undefined && sameKey(shown, init.adminKey)) return;
  // A key that is shown has to be right, even where none is needed: a wrong one is a mistake or a guess.
  if (shown === undefined && init.openOnLoopback && isLoopback(request.remoteAddress)) return;
  if (shown !== undefined) tenancy.guesses.failed(request.remoteAddress);
  throw new CidcastError("UNAUTHENTICATED", shown === undefined ? "Admin key required" : "Invalid admin key");
}

function backupRoutes(route: MakeRoute, backup: BackupSource | undefined): McpRoute[] {
  if (backup === undefined) return [];
  return [
    route({
      method: "POST",
      path: "/api/admin/backup",
      summary: "Database, keys and files of tenants as a tar file; with ?blocks=true the pinned blocks too",
      handle: async ({ query, signal }) => ({
        status: 200,
        headers: { "content-type": "application/x-tar" },
        body: backup({ blocks: query.get("blocks") === "true", signal }),
      }),
    }),
  ];
}

function tenantRoutes(route: MakeRoute, tenancy: Tenancy): McpRoute[] {
  return [
    route({
      method: "POST",
      path: "/api/admin/tenants",
      summary: "Create a tenant",
      bodySchema: createTenantBody,
      handle: async request => {
        const body = parseBody(request, createTenantBody, { name: "Tenant name is required" });
        const tenant = await tenancy.tenants.create(body);
        return created({ message: "Tenant created successfully", tenant: tenantBody(tenant) });
      },
    }),
    route({
      method: "GET",
      path: "/api/admin/tenants",
      summary:
        "List tenants, newest first: `limit` of them, `after` the one whose id `next_after` of the page before was",
      handle: async request => {
        const page = parseQuery(request, tenantPage);
        const { tenants, total, next } = await tenancy.tenants.list(page);
        const bodies = tenants.map(tenant => ({
          ...tenantBody(tenant),
          token_count: tenant.activeTokens,
          session_count: tenant.activeSessions,
        }));
        return ok({ tenants: bodies, total_count: total, ...(next !== undefined && { next_after: next }) });
      },
    }),
    route({
      method: "DELETE",
      path: "/api/admin/tenants/:id",
      summary: "Switch a tenant and all its tokens off",
      handle: async ({ params }) => {
        await tenancy.deactivateTenant(params["id"] ?? "");
        return ok({ message: "Tenant deactivated successfully" });
      },
    }),
    route({
      method: "PUT",
      path: "/api/admin/tenants/:id/quotas",
      summary: "Set a tenant's quotas",
      bodySchema: quotasSchema,
      handle: async request => {
        const { id, quotas } = await tenancy.tenants.setQuotas(
          request.params["id"] ?? "",
          parseBody(request, quotasSchema),
        );
        return ok({ tenant_id: id, quotas });
      },
    }),
  ];
}

function tokenRoutes(route: MakeRoute, tenancy: Tenancy): McpRoute[] {
  return [
    route({
      method: "POST",
      path: "/api/admin/tokens",
      summary: "Create a token; its text is in this answer only",
      bodySchema: createTokenBody,
      handle: async request => {
        const body = parseBody(request, createTokenBody, { tenant_id: "Tenant ID is required" });
        const token = await tenancy.tokens.create({
          tenantId: body.tenant_id,
          scopes: body.scopes,
          expiresInDays: body.expires_in_days,
        });
        return created({
          message: "Token created successfully",
          token_info: {
            id: token.id,
            token: token.token,
            tenant_id: token.tenantId,
            tenant_name: token.tenantName,
            scopes: token.scopes,
            expires_at: isoTime(token.expiresAtMs),
            created_at: isoTime(token.createdAtMs),
          },
        });
      },
    }),
    route({
      method: "GET",
      path: "/api/admin/tokens",
      summary: "List tokens, newest first, of all tenants or of `tenant_id`; a page at a time as tenants are",
      handle: async request => {
        const { tenant_id: tenantId, ...page } = parseQuery(request, tokenPage);
        const { tokens, total, next } = await tenancy.tokens.list({ tenantId, ...page });
        return ok({
          tokens: tokens.map(tokenBody),
          total_count: total,
          ...(next !== undefined && { next_after: next }),
        });
      },
    }),
    route({
      method: "DELETE",
      path: "/api/admin/tokens/:id",
      summary: "Switch a token off, at every open connection too",
      handle: async ({ params }) => {
        await tenancy.revokeToken(params["id"] ?? "");
        return ok({ message: "Token deactivated successfully" });
      },
    }),
  ];
}

function credentialRoutes(route: MakeRoute, tenancy: Tenancy): McpRoute[] {
  return [
    route({
      method: "POST",
      path: "/api/admin/credentials",
      summary: "Store a credential",
      bodySchema: storeCredentialBody,
      handle: async request => {
        const required = "tenant_id, tool_name, credential_key and credential_value are required";
        const body = parseBody(request, storeCredentialBody, {
          tenant_id: required,
          credential_value: required,
        });
        const place = {
          tenantId: body.tenant_id,
          toolName: body.tool_name,
          credentialKey: body.credential_key,
        };
        await tenancy.credentials.store(place, body.credential_value);
        return created({
          message: "Credential stored successfully",
          tenant_id: body.tenant_id,
          tool_name: body.tool_name,
          credential_key: body.credential_key,
        });
      },
    }),
    route({
      method: "GET",
      path: "/api/admin/credentials",
      summary: "List a tenant's credentials, without their values",
      handle: async ({ query }) => {
        const tenant = await tenancy.tenants.get(tenantIdOf(query));
        const credentials = (await tenancy.credentials.list(tenant.id)).map(credential => ({
          id: credential.id,
          tool_name: credential.toolName,
          credential_key: credential.credentialKey,
          has_value: true,
          created_at: isoTime(credential.createdAtMs),
          updated_at: isoTime(credential.updatedAtMs),
        }));
        return ok({
          tenant_id: tenant.id,
          tenant_name: tenant.name,
          credentials,
          total_count: credentials.length,
        });
      },
    }),
    route({
      method: "DELETE",
      path: "/api/admin/credentials/:id",
      summary: "Remove a credential",
      handle: async ({ params }) => {
        await tenancy.credentials.remove(params["id"] ?? "");
        return ok({ message: "Credential deactivated successfully" });
      },
    }),
    route({
      method: "POST",
      path: "/api/admin/credentials/rotate",
      summary: "Seal every credential anew, with a new key where a key file is used",
      handle: async () => {
        const { resealed, keyId } = await tenancy.credentials.rotate();
        return ok({ message: "Credentials sealed anew", resealed, key_id: keyId });
      },
    }),
  ];
}

function overviewRoutes(
  route: MakeRoute,
  { tenancy, definition }: { readonly tenancy: Tenancy; readonly definition: ServerDefinition },
): McpRoute[] {
  return [
    route({
      method: "GET",
      path: "/api/admin/scopes",
      summary: "Scopes, and the tools that need them",
      handle: async () => {
        const tools = [...definition.tools.values()];
        const scopes = [
          {
            name: "none",
            description: "No scope required: every authenticated caller",
            tools: tools.filter(tool => tool.scopes.length === 0).map(tool => tool.name),
          },
          ...ALL_SCOPES.map(scope => ({
            name: scope.name,
            description: scope.description,
            tools: tools.filter(tool => tool.scopes.includes(scope.name)).map(tool => tool.name),
          })),
        ];
        return ok({ scopes, total_count: scopes.length });
      },
    }),
    route({
      method: "GET",
      path: "/api/admin/dashboard/:id",
      summary: "What a tenant does",
      handle: async ({ params }) => {
        const tenant = await tenancy.tenants.get(params["id"] ?? "");
        const [activeTokens, sessions, calls, credentials, recent] = await Promise.all([
          tenancy.tokens.countActive(tenant.id),
          tenancy.sessions.counts(tenant.id),
          tenancy.audit.counts(tenant.id),
          tenancy.credentials.list(tenant.id),
          tenancy.audit.recent(tenant.id, RECENT_CALLS),
        ]);
        return ok({
          tenant: tenantBody(tenant),
          statistics: {
            active_tokens: activeTokens,
            active_sessions: sessions.active,
            total_tool_calls: calls.total,
            credentials_count: credentials.length,
          },
          recent_calls: recent.map(call => ({
            tool_name: call.tool,
            created_at: isoTime(call.atMs),
            success: call.error === undefined,
            session_id: call.sessionId,
          })),
        });
      },
    }),
  ];
}

function tenantIdOf(query: URLSearchParams): string {
  const parsed = tenantQuery.safeParse({ tenant_id: query.get("tenant_id") });
  if (!parsed.success) throw new CidcastError("INVALID_REQUEST", "tenant_id parameter is required");
  return parsed.data.tenant_id;
}

function tenantBody(tenant: Tenant) {
  return {
    tenant_id: tenant.id,
    name: tenant.name,
    description: tenant.description,
    is_active: tenant.active,
    created_at: isoTime(tenant.createdAtMs),
  };
}

function tokenBody(token: TokenInfo) {
  return {
    id: token.id,
    token: `${token.prefix}...`,
    tenant_id: token.tenantId,
    tenant_name: token.tenantName,
    scopes: token.scopes,
    is_active: token.active,
    expires_at: isoTime(token.expiresAtMs),
    created_at: isoTime(token.createdAtMs),
    last_used: isoTime(token.lastUsedAtMs),
  };
}
