import { z } from "zod";

/** JSON-RPC as the node's MCP doors take and answer it. See spec.md beside this file. */

/** Largest message of a client, bytes, at every door: 3 MiB of content in base64, and what stands around it. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024 + 64 * 1024;
/** Longest request id and method name, characters. */
export const MAX_ID_LENGTH = 256;

/** Label of the WebRTC data channel that carries MCP. */
export const MCP_CHANNEL_LABEL = "mcp";

/** Close code of a WebSocket whose token or tenant is refused, now or later; the reason says why. */
export const CLOSE_UNAUTHENTICATED = 4001;
/** Close code of a WebSocket that sent more than a message may hold. */
export const CLOSE_TOO_LARGE = 1009;

/** Reasons that go with 4001; clients branch on them. */
export const CLOSE_REASONS = {
  tokenRequired: "Authentication token required",
  tenantRequired: "Tenant ID required",
  invalidToken: "Invalid or expired token",
  tenantMismatch: "Token does not match tenant",
} as const;

/** JSON-RPC error codes of the MCP doors. */
export const RPC_ERRORS = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** The token lacks a scope that the tool needs. */
  forbidden: -32403,
  /** A rate limit or quota is reached; `data.retryAfterSeconds` says when to try again. */
  limitReached: -32429,
} as const;

export const requestId = z.union([z.string().max(MAX_ID_LENGTH), z.number()]);

/** One JSON-RPC request or notification of `POST /api/mcp/rpc/`. */
export const rpcRequest = z.looseObject({
  jsonrpc: z.literal("2.0"),
  id: requestId.nullish(),
  method: z.string().min(1).max(MAX_ID_LENGTH),
  params: z.record(z.string(), z.unknown()).optional(),
});
export type RpcRequest = z.output<typeof rpcRequest>;

/** Body of `POST /mcp/tools/call`: both names that clients use for the arguments. */
export const toolCallBody = z.looseObject({
  name: z.string().min(1).max(MAX_ID_LENGTH),
  args: z.record(z.string(), z.unknown()).optional(),
  arguments: z.record(z.string(), z.unknown()).optional(),
});
