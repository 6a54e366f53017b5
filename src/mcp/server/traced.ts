import { type JSONRPCRequest, ProtocolError, type Result } from "@modelcontextprotocol/server";
import { type Principal, toCidcastError } from "../../core/index.ts";
import type { CallComponents } from "./call-tool.ts";

/** Does the work of a request as one span. */
export type Traced = (request: JSONRPCRequest, work: () => Promise<Result>) => Promise<Result>;

/** Traces a caller's requests, each as a part of the trace that its `_meta` names; undefined where nothing is traced. */
export function tracedRequests(
  { tracer, definition }: Pick<CallComponents, "tracer" | "definition">,
  { door, tenantId }: Principal,
): Traced | undefined {
  if (tracer === undefined) return undefined;
  return async ({ method, params }, work) => {
    const called = method === "tools/call" ? String(params?.["name"]) : undefined;
    // A name that is no tool's could be anything.
    const tool = called === undefined || definition.tools.has(called) ? called : "unknown";
    const parent = params?._meta?.["traceparent"];
    const span = tracer.start(tool === undefined ? method : `${method} ${tool}`, {
      kind: "server",
      ...(typeof parent === "string" && { parent }),
      attributes: {
        "mcp.method.name": method,
        ...(tool !== undefined && { "gen_ai.tool.name": tool }),
        "cidcast.door": door,
        ...(tenantId !== undefined && { "cidcast.tenant": tenantId }),
      },
    });
    try {
      const result = await tracer.within(span, work);
      span.end(result["isError"] === true ? "tool_error" : undefined);
      return result;
    } catch (error) {
      span.end(error instanceof ProtocolError ? String(error.code) : toCidcastError(error).code);
      throw error;
    }
  };
}
