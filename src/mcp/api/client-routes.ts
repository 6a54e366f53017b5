import { CLOSE_REASONS, RPC_ERRORS, toolCallBody } from "@cidcast/protocols/mcp";
import { ProtocolError } from "@modelcontextprotocol/server";
import { CidcastError, type Principal } from "../../core/index.ts";
import { errorMessage, parseError, parseJson } from "../doors/message.ts";
import { answerRpc } from "../doors/rpc.ts";
import type { StatelessSessions } from "../doors/streamable-http.ts";
import { describeTool } from "../server/build-server.ts";
import { type CallComponents, toolsFor } from "../server/call-tool.ts";
import {
  bearerOf,
  defineRoute,
  isoTime,
  type McpRoute,
  ok,
  parseBody,
  type RouteRequest,
  type RouteResponse,
} from "./route.ts";

/** The revision that clients of this API are told of. */
const ANNOUNCED_REVISION = "2024-11-05";

/** The API for MCP clients that speak JSON-RPC over plain POST, and what they ask beside. */
export function clientRoutes(components: CallComponents, sessions: StatelessSessions): McpRoute[] {
  const { tenancy, log, definition } = components;
  /** A token of a tenant; without one, whom the server takes the caller for, when that is anybody. */
  const caller = async (request: RouteRequest): Promise<Principal> => {
    const token = bearerOf(request) ?? request.header("x-api-token");
    if (token === undefined && request.principal.kind !== "anonymous") return request.principal;
    if (token === undefined) throw new CidcastError("UNAUTHENTICATED", "Bearer token required");
    return resolve(components, token, request);
  };
  return [
    defineRoute(log, {
      method: "POST",
      path: "/api/mcp/rpc",
      access: "token",
      summary: "One JSON-RPC request, or a batch, with Authorization: Bearer and X-Tenant-ID",
      handle: async request => rpc(components, sessions, request),
    }),
    defineRoute(log, {
      method: "GET",
      path: "/api/mcp/info",
      access: "token-or-owner",
      summary: "Server information and capabilities",
      handle: async request => {
        const principal = await caller(request);
        return ok({
          server_info: {
            name: definition.name,
            version: definition.version,
            protocol_version: ANNOUNCED_REVISION,
          },
          capabilities: { tools: {}, resources: {}, prompts: {}, logging: {}, completions: {} },
          available_tools: toolsFor(definition, principal).map(tool => tool.name),
          endpoints: {
            websocket: "/ws/mcp/",
            rpc: "/api/mcp/rpc/",
            streamable_http: "/mcp",
            sessions: "/api/mcp/sessions/",
            tools: "/api/mcp/tools/",
            analytics: "/api/mcp/analytics/",
          },
        });
      },
    }),
    defineRoute(log, {
      method: "GET",
      path: "/api/mcp/sessions",
      access: "token-or-owner",
      summary: "Open sessions; a tenant sees its own",
      handle: async request => {
        const principal = await caller(request);
        const open = tenancy.sessions.active(principal.tenantId).map(session => ({
          session_id: session.id,
          tenant_id: session.tenantId ?? null,
          client_info: session.clientName ?? null,
          transport: session.door,
          created_at: isoTime(session.createdAtMs),
          last_activity: isoTime(session.lastSeenAtMs),
          is_active: true,
        }));
        return ok({ sessions: open, total_count: open.length });
      },
    }),
    defineRoute(log, {
      method: "GET",
      path: "/api/mcp/tools",
      access: "token-or-owner",
      summary: "Tools that the caller may call",
      handle: async request => {
        const tools = toolsFor(definition, await caller(request)).map(tool => ({
          ...describeTool(tool),
          required_scopes: tool.scopes,
        }));
        return ok({ tools, total_count: tools.length });
      },
    }),
    defineRoute(log, {
      method: "GET",
      path: "/api/mcp/analytics",
      access: "token-or-owner",
      summary: "Use of sessions and tools; a tenant sees its own",
      handle: async request => {
        const { tenantId } = await caller(request);
        const [counts, calls] = await Promise.all([
          tenancy.sessions.counts(tenantId),
          tenancy.audit.counts(tenantId),
        ]);
        return ok({
          sessions: { total: counts.total, active: counts.active, inactive: counts.total - counts.active },
          tool_calls: { total: calls.total, by_tool: calls.byTool },
          server_status: "running",
          registered_tools: definition.tools.size,
        });
      },
    }),
    ...(["GET", "POST"] as const).map(method =>
      defineRoute(log, {
        method,
        path: "/mcp/tools/list",
        access: "token-or-owner",
        summary: "Tools that the caller may call",
        handle: async request => ok({ tools: toolsFor(definition, await caller(request)).map(describeTool) }),
      }),
    ),
    defineRoute(log, {
      method: "POST",
      path: "/mcp/tools/call",
      access: "token-or-owner",
      summary: "Calls a tool",
      bodySchema: toolCallBody,
      handle: async request => {
        const principal = await caller(request);
        const {
          name,
          args,
          arguments: given,
        } = parseBody(request, toolCallBody, { name: "Tool name is required" });
        const message = {
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name, arguments: given ?? args ?? {} },
        };
        const answer = await answerRpc(components, sessions.of(principal), message, request.signal);
        return ok(resultOf(answer));
      },
    }),
  ];
}

/** The result alone; an error of the protocol as one of ours. */
function resultOf(answer: unknown): unknown {
  const { result, error } = answer as { result?: unknown; error?: { code: number; message: string } };
  if (error === undefined) return result;
  const code =
    error.code === RPC_ERRORS.forbidden
      ? "FORBIDDEN"
      : error.code === RPC_ERRORS.invalidParams
        ? "NOT_FOUND"
        : error.code === RPC_ERRORS.limitReached
          ? "LIMIT_REACHED"
          : "INTERNAL";
  throw new CidcastError(code, error.message);
}

async function rpc(
  components: CallComponents,
  sessions: StatelessSessions,
  request: RouteRequest,
): Promise<RouteResponse> {
  const token = bearerOf(request);
  if (token === undefined) throw new CidcastError("UNAUTHENTICATED", "Bearer token required");
  if ((request.header("x-tenant-id") ?? "") === "") {
    throw new CidcastError("UNAUTHENTICATED", CLOSE_REASONS.tenantRequired);
  }
  const principal = await resolve(components, token, request);
  let json: unknown;
  try {
    json = parseJson(request.body);
  } catch (error) {
    return { status: 400, body: errorMessage(null, error instanceof ProtocolError ? error : parseError()) };
  }
  const answer = await answerRpc(components, sessions.of(principal), json, request.signal);
  return answer === undefined ? { status: 202, body: undefined } : ok(answer);
}

function resolve({ tenancy }: CallComponents, token: string, request: RouteRequest): Promise<Principal> {
  const tenantId = request.header("x-tenant-id");
  return tenancy.resolveToken(token, {
    door: "http",
    remoteAddress: request.remoteAddress,
    ...(tenantId !== undefined && tenantId !== "" && { tenantId }),
  });
}
