export {
  MAX_ROUTE_BODY_BYTES,
  type McpRoute,
  type RouteAccess,
  type RouteRequest,
  type RouteResponse,
} from "./api/route.ts";
export type { EventSource } from "./events.ts";
export type { OAuth, OAuthInit } from "./oauth.ts";
export type { BackupSource } from "./api/admin-routes.ts";
export type { ConsoleSource } from "./api/console-routes.ts";
export type { McpSocket, McpSocketInit } from "./doors/socket.ts";
export type { StdioInit } from "./doors/stdio.ts";
export { bridgeStdio, type StdioBridgeInit } from "./doors/stdio-bridge.ts";
export { createMcp, type Mcp, type McpComponents, type McpExtensions, type McpInit } from "./mcp.ts";
export type { CustomTool } from "./server/custom-tool.ts";
export { defineTool, type ToolInit, type ToolReply } from "./server/define-tool.ts";
export type { NodeDiagnosis } from "./tools/node/diagnose-tools.ts";
export type { NodeWork } from "./tools/node/work-tools.ts";
export { createGuardedFetch, type GuardedFetch } from "./tools/web/guarded-fetch.ts";
export type {
  CompletionQuery,
  PromptDefinition,
  RequestContext,
  ResourceProvider,
  ServerDefinition,
  Tool,
} from "./types.ts";
