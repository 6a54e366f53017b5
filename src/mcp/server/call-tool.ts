import { type CallToolResult, type InputRequiredResult, ProtocolError } from "@modelcontextprotocol/server";
import { RPC_ERRORS } from "@cidcast/protocols/mcp";
import {
  CidcastError,
  type Clock,
  type Logger,
  type Principal,
  toCidcastError,
  type Tracer,
  withTimeout,
} from "../../core/index.ts";
import type { Tenancy } from "../../tenancy/index.ts";
import { TOOL_TIMEOUT_MS } from "../limits.ts";
import type { McpMetrics } from "../metrics.ts";
import type { RequestContext, ServerDefinition, Tool } from "../types.ts";
import { asksForInput, errorResult } from "./define-tool.ts";

/** What calling tools takes. */
export interface CallComponents {
  readonly definition: ServerDefinition;
  readonly tenancy: Tenancy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: McpMetrics;
  /** Undefined: requests are not traced. */
  readonly tracer?: Tracer | undefined;
  /** Seals what callers carry between the rounds of one call. 32 bytes, new at each start. */
  readonly stateKey: Uint8Array;
}

/** True when the principal holds every scope that the tool needs. */
export function mayCall(principal: Principal, tool: Tool): boolean {
  return principal.scopes.has("*") || tool.scopes.every(scope => principal.scopes.has(scope));
}

/** Tools that the principal may call, in the order of the definition. */
export function toolsFor(definition: ServerDefinition, principal: Principal): Tool[] {
  return [...definition.tools.values()].filter(tool => mayCall(principal, tool));
}

/**
 * Calls a tool for a principal: finds it, checks scopes, quota and arguments, runs it within its time, and writes it to
 * the audit log however it ends. What the tool itself cannot do is an answer with `isError`; what the caller may not do,
 * or what is not there, is a JSON-RPC error.
 */
export async function callTool(
  components: CallComponents,
  name: string,
  args: unknown,
  context: RequestContext,
): Promise<CallToolResult | InputRequiredResult> {
  const { clock, tenancy, metrics } = components;
  const startedMs = clock.monotonicMs();
  const atMs = clock.now();
  const record = (result: string | undefined, error: string | undefined): Promise<void> =>
    tenancy.audit.record({
      tenantId: context.principal.tenantId,
      sessionId: context.sessionId,
      caller: context.principal.id,
      tool: name.slice(0, 128),
      arguments: args,
      result,
      error,
      durationMs: clock.monotonicMs() - startedMs,
      atMs,
    });
  let tool: Tool;
  try {
    tool = admit(components, name, context.principal);
  } catch (error) {
    metrics.calls.add(1, { outcome: "refused" });
    await record(undefined, toCidcastError(error).message);
    throw error;
  }
  const result = await run(components, tool, args, context);
  metrics.callSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
  if (asksForInput(result)) return result;
  const text = textOf(result);
  metrics.calls.add(1, { outcome: result.isError === true ? "failed" : "ok" });
  await (result.isError === true ? record(undefined, text) : record(text, undefined));
  return result;
}

/** The tool, when the principal may call it now. Throws the JSON-RPC error otherwise. */
function admit({ definition, tenancy }: CallComponents, name: string, principal: Principal): Tool {
  if (!tenancy.isLive(principal)) throw new ProtocolError(RPC_ERRORS.forbidden, "Invalid or expired token");
  const tool = definition.tools.get(name);
  if (tool === undefined) throw new ProtocolError(RPC_ERRORS.invalidParams, `Tool not found: ${name}`);
  if (!mayCall(principal, tool)) {
    throw new ProtocolError(RPC_ERRORS.forbidden, `Insufficient permissions for tool: ${name}`);
  }
  try {
    tenancy.quotas.takeRequest(principal.tenantId);
  } catch (error) {
    throw asProtocolError(error);
  }
  return tool;
}

async function run(
  { log }: CallComponents,
  tool: Tool,
  args: unknown,
  context: RequestContext,
): Promise<CallToolResult | InputRequiredResult> {
  const parsed = tool.parse(args);
  if (!parsed.ok) return errorResult(`Invalid arguments for tool ${tool.name}: ${parsed.problem}`);
  try {
    return await withTimeout(
      TOOL_TIMEOUT_MS,
      `The tool ${tool.name}`,
      signal => tool.run(parsed.value, { ...context, signal }),
      { signal: context.signal },
    );
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    const known = toCidcastError(error);
    if (known.code !== "INTERNAL") return errorResult(`${known.code}: ${known.message}`);
    // What failed unforeseen may name paths or hold secrets: it goes to the log, not to the caller.
    log.error({ err: error, tool: tool.name }, "a tool failed");
    return errorResult(`INTERNAL: The tool ${tool.name} failed`);
  }
}

/** One of our errors as JSON-RPC. */
export function asProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const known = toCidcastError(error);
  if (known.code === "LIMIT_REACHED" || known.code === "BUSY") {
    return new ProtocolError(RPC_ERRORS.limitReached, known.message, {
      code: known.code,
      ...(known.retryAfterSeconds !== undefined && { retryAfterSeconds: known.retryAfterSeconds }),
    });
  }
  if (known.code === "FORBIDDEN" || known.code === "UNAUTHENTICATED") {
    return new ProtocolError(RPC_ERRORS.forbidden, known.message, { code: known.code });
  }
  if (known.status >= 400 && known.status < 500) {
    return new ProtocolError(RPC_ERRORS.invalidParams, known.message, { code: known.code });
  }
  return new ProtocolError(
    RPC_ERRORS.internal,
    known.code === "INTERNAL" ? "Internal error" : known.message,
    { code: known.code },
  );
}

function textOf(result: CallToolResult): string {
  const texts = result.content.map(block => (block.type === "text" ? block.text : `[${block.type}]`));
  return texts.join("\n");
}

/** Thrown by tools for arguments that fit the schema and still cannot be used. */
export function badArguments(message: string): CidcastError {
  return new CidcastError("INVALID_REQUEST", message);
}
