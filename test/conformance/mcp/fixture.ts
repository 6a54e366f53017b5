import {
  CLIENT_CAPABILITIES_META_KEY,
  type CallToolResult,
  type ClientCapabilities,
  type InputRequiredResult,
} from "@modelcontextprotocol/server";
import type { RequestContext, Tool } from "../../../src/mcp/index.ts";

export type Reply = CallToolResult | InputRequiredResult;

/** A tool of the suite: any arguments, no scope. */
export function fixture(
  name: string,
  run: (args: Record<string, unknown>, context: RequestContext) => Promise<Reply> | Reply,
  inputSchema: Record<string, unknown> = { type: "object" },
): Tool {
  return {
    name,
    title: undefined,
    description: `Fixture of the conformance suite: ${name}`,
    inputSchema,
    outputSchema: undefined,
    annotations: undefined,
    scopes: [],
    parse: args => ({ ok: true, value: args ?? {} }),
    run: async (value, context) => run(value as Record<string, unknown>, context),
  };
}

/** What the client says, with this very request, that it can do. */
export function declaredCapabilities({ protocol }: RequestContext): ClientCapabilities {
  const envelope: Record<string, unknown> | undefined = protocol.mcpReq.envelope;
  return envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
}

export const text = (content: string): CallToolResult => ({ content: [{ type: "text", text: content }] });
