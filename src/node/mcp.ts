import { join } from "node:path";
import { CLOSE_REASONS, CLOSE_UNAUTHENTICATED, RPC_ERRORS } from "@cidcast/protocols/mcp";
import type { Content } from "../content/index.ts";
import { type Action, CidcastError, systemClock } from "../core/index.ts";
import type { MountedRoute } from "../http/index.ts";
import type { Config } from "../config/index.ts";
import type {
  BackupSource,
  ConsoleSource,
  EventSource,
  Mcp,
  McpRoute,
  OAuth,
  OAuthInit,
  NodeDiagnosis,
  NodeWork,
} from "../mcp/index.ts";
import type { Captions, Media } from "../media/index.ts";
import {
  type Notify,
  type SocketConnection,
  type SocketHandler,
  type SocketInit,
  tenantAudience,
} from "../notify/index.ts";
import type { JsonRpcDoor } from "../rooms/index.ts";
import type { DataDir } from "../store/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import { pluginTools } from "./mcp-plugins.ts";
import type { Shared } from "./shared.ts";
import { VERSION } from "./version.ts";

/** What MCP stands on. */
export interface McpParts extends Shared {
  readonly tenancy: Tenancy;
  readonly content: Content;
  readonly media: Media;
  readonly captions: Captions;
  readonly dataDir: DataDir;
  readonly baseUrl: () => string;
  readonly console: ConsoleSource;
  readonly work: NodeWork;
  readonly diagnose: NodeDiagnosis;
  readonly backup: BackupSource;
  /** Undefined: nothing is told of what happens. */
  readonly notify: Notify | undefined;
}

/** MCP as the doors use it. */
export interface RunningMcp {
  readonly mcp: Mcp;
  readonly routes: readonly MountedRoute[];
  readonly jsonRpc: JsonRpcDoor;
}

/** Starts the MCP server behind all its doors. Its code is loaded here: commands that do not need it do not wait for it. */
export async function startMcp(init: McpParts): Promise<RunningMcp | undefined> {
  const { config, log, metrics, opened, parts, tenancy, content, media, dataDir, baseUrl, console } = init;
  const { captions, work, diagnose, tracer } = init;
  if (!config.mcp.enabled) {
    parts.disabled("mcp", "it is switched off");
    return undefined;
  }
  const { createMcp, MAX_ROUTE_BODY_BYTES } = await import("../mcp/index.ts");
  const mcp = createMcp(
    {
      version: VERSION,
      filesDirectory: join(config.dataDir, "files"),
      adminKey: dataDir.adminKey().key,
      adminOpen: config.adminOpen === "loopback" ? "loopback" : undefined,
      baseUrl,
      console,
      backup: init.backup,
      ipfsNames: config.mcp.ipfsNames,
      oauth: oauthOf(config.mcp),
      tools: await pluginTools(config.mcp.plugins),
    },
    {
      tenancy,
      clock: systemClock,
      log,
      metrics,
      tracer,
      content,
      media,
      captions,
      work,
      diagnose,
      events: init.notify && eventsOf(init.notify),
    },
  );
  opened.push(mcp);
  await mcp.start();
  parts.ready("mcp", false);
  return { mcp, routes: mcpRoutes(mcp, MAX_ROUTE_BODY_BYTES), jsonRpc: mcpDoor(mcp) };
}

/** The log of events, each principal seeing what it would be told over any other door. */
function eventsOf({ events }: Notify): EventSource {
  return {
    recent(principal, { types, limit }) {
      const audience = tenantAudience.classOf(principal);
      const found = events.recent(
        limit,
        event =>
          tenantAudience.maySee(audience, event) && (types.length === 0 || types.includes(event.topic)),
      );
      return found.map(({ offset, topic, data, atMs }) => ({
        offset,
        type: topic,
        at: new Date(atMs).toISOString(),
        data,
      }));
    },
    follow: listener => events.onAppend(({ event }) => listener(event.tenantId)),
  };
}

/** MCP's routes as the HTTP door takes them. Who may use one, the route itself says; the action names that rule. */
function mcpRoutes(mcp: Mcp, maxBodyBytes: number): MountedRoute[] {
  const actionOf = ({ access }: McpRoute): Action =>
    access === "admin-key" ? "tenancy:admin" : "mcp:connect";
  return [
    {
      methods: ["GET", "POST", "DELETE"],
      paths: ["/mcp", "/mcp/"],
      action: "mcp:connect",
      serve: (incoming, outgoing, principal) => mcp.serveHttp(incoming, outgoing, principal),
    },
    ...(mcp.oauth === undefined ? [] : [metadataRoute(mcp.oauth, maxBodyBytes)]),
    ...mcp.routes.map(route => ({
      method: route.method,
      paths: route.paths,
      action: actionOf(route),
      summary: route.summary,
      bodySchema: route.bodySchema,
      maxBodyBytes,
      handle: route.handle,
    })),
  ];
}

/** Tells clients who gives out tokens; anybody may ask, for who asks has none yet. */
function metadataRoute({ metadata, metadataPaths }: OAuth, maxBodyBytes: number): MountedRoute {
  return {
    method: "GET",
    paths: metadataPaths,
    action: "pages:read",
    summary: "Metadata of /mcp as a protected resource (RFC 9728)",
    maxBodyBytes,
    handle: async () => ({ status: 200, body: metadata }),
  };
}

/** `INVALID_CONFIG` when only a part of it is set. */
function oauthOf(config: Config["mcp"]): OAuthInit | undefined {
  const { oauthIssuer, oauthAudience, oauthJwksUrl, oauthTenantClaim } = config;
  const set = [oauthIssuer, oauthAudience, oauthJwksUrl].filter(part => part !== undefined);
  if (set.length === 0) return undefined;
  if (oauthIssuer === undefined || oauthAudience === undefined || oauthJwksUrl === undefined) {
    throw new CidcastError(
      "INVALID_CONFIG",
      "mcp.oauthIssuer, mcp.oauthAudience and mcp.oauthJwksUrl belong together",
    );
  }
  return {
    issuer: oauthIssuer,
    audience: oauthAudience,
    jwksUrl: oauthJwksUrl,
    tenantClaim: oauthTenantClaim,
  };
}

/** MCP over `/ws/mcp/`: needs a token and the tenant it belongs to, in the address. */
function mcpDoor(mcp: Mcp): JsonRpcDoor {
  return {
    connect(socket): SocketConnection {
      const { principal, query, remoteAddress } = socket;
      const refused = refusalOf(socket);
      if (refused !== undefined) {
        socket.close(CLOSE_UNAUTHENTICATED, refused);
        return { receive() {}, close() {} };
      }
      const connection = mcp.connect({
        carrier: "websocket",
        door: "ws",
        send: text => socket.send(text),
        close: (code, reason) => socket.close(code, reason),
        principal,
        tenantId: query?.get("tenant_id") ?? undefined,
        remoteAddress,
      });
      return { receive: text => connection.receive(text), close: () => connection.close() };
    },
  };
}

function refusalOf({ principal, query }: SocketInit): string | undefined {
  if (principal.tenantId === undefined) return CLOSE_REASONS.tokenRequired;
  return query?.get("tenant_id") ? undefined : CLOSE_REASONS.tenantRequired;
}

/** The last message of a connection that has no close codes. */
export function mcpRefusal(message: string, code = "UNAUTHENTICATED"): string {
  const error = { code: RPC_ERRORS.forbidden, message, data: { code } };
  return JSON.stringify({ jsonrpc: "2.0", id: null, error });
}

/** What a client of `/ws/mcp/` is told whose token is refused. */
export function refuseMcp({ message }: CidcastError): { readonly code: number; readonly reason: string } {
  const known = Object.values(CLOSE_REASONS).find(reason => reason === message);
  return { code: CLOSE_UNAUTHENTICATED, reason: known ?? CLOSE_REASONS.invalidToken };
}

/**
 * `/ws/mcp/` is open to everybody who may speak MCP; the rooms behind it only to those who may join rooms. Frames of MCP go
 * to MCP at once: the limits of the rooms, on sizes and messages a second, are not its own. A client that speaks one of the
 * two has a connection to that one alone.
 */
export function shareWithRooms(rooms: SocketHandler, mcp: JsonRpcDoor): SocketHandler {
  return {
    connect(socket): SocketConnection {
      const { principal } = socket;
      if (principal.kind === "anonymous") {
        socket.close(CLOSE_UNAUTHENTICATED, CLOSE_REASONS.tokenRequired);
        return { receive() {}, close() {} };
      }
      const mayJoin = principal.scopes.has("*") || principal.scopes.has("rooms:join");
      let agent: SocketConnection | undefined;
      let member: SocketConnection | undefined;
      return {
        receive(text) {
          if (isJsonRpc(text)) return (agent ??= mcp.connect(socket)).receive(text);
          if (mayJoin) return (member ??= rooms.connect(socket)).receive(text);
          socket.send(JSON.stringify({ type: "error", message: "This token may not join rooms" }));
          return undefined;
        },
        drained: () => member?.drained?.(),
        async close(reason) {
          await Promise.all([agent?.close(reason), member?.close(reason)]);
        },
      };
    },
  };
}

/** True for what is MCP's and not the rooms'. */
function isJsonRpc(text: string): boolean {
  // Most frames of rooms are told by this alone. The name may be spelt with escapes.
  if (!text.includes("jsonrpc") && !text.includes("\\u")) return false;
  try {
    const frame: unknown = JSON.parse(text);
    const messages: readonly unknown[] = Array.isArray(frame) ? frame : [frame];
    return messages.some(item => typeof item === "object" && item !== null && "jsonrpc" in item);
  } catch {
    // Not JSON: the rooms would answer it.
    return false;
  }
}
