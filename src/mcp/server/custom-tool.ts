import {
  type CallToolResult,
  fromJsonSchema,
  type JsonSchemaType,
  type ToolAnnotations,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { CidcastError } from "../../core/index.ts";
import type { JsonObject, RequestContext, Tool } from "../types.ts";
import { type ToolReply, toResult } from "./define-tool.ts";

/**
 * A tool of somebody else's. `handler` gets the arguments, checked against the schema, and the session's id; what it
 * returns is the text of the result. A handler that wants more takes the context and may return a {@link ToolReply}.
 *
 * @example
 * mcp.registerTool({
 *   name: "my_tool",
 *   description: "What it does",
 *   input_schema: { type: "object", properties: { param1: { type: "string" } }, required: ["param1"] },
 *   handler: async (args, session_id) => `Tool result for ${args.param1}`,
 * });
 */
export interface CustomTool {
  readonly name: string;
  readonly description: string;
  readonly title?: string;
  /** JSON Schema of the arguments; either spelling. */
  readonly input_schema?: JsonObject;
  readonly inputSchema?: JsonObject;
  readonly outputSchema?: JsonObject;
  /** Scopes that a caller needs. None: any caller who is known. */
  readonly scopes?: readonly string[];
  readonly annotations?: ToolAnnotations;
  handler(args: JsonObject, sessionId: string, context: RequestContext): Promise<ToolReply> | ToolReply;
}

const TOOL_NAME = /^[\w./-]{1,128}$/;

const shape = z.object({
  name: z.string().regex(TOOL_NAME, "a tool's name has 1 to 128 letters, digits, _ - . /"),
  description: z.string().min(1).max(4096),
  scopes: z.array(z.string().min(1)).optional(),
});

/** Makes a tool of a plugin's. `INVALID_CONFIG` when it has no usable name, description or schema. */
export function customTool(plugin: CustomTool): Tool {
  const checked = shape.safeParse(plugin);
  if (!checked.success) {
    throw new CidcastError(
      "INVALID_CONFIG",
      `The tool ${plugin.name} cannot be used: ${z.prettifyError(checked.error)}`,
    );
  }
  const inputSchema = plugin.inputSchema ?? plugin.input_schema ?? { type: "object" };
  if (inputSchema["type"] !== "object") {
    throw new CidcastError("INVALID_CONFIG", `The input schema of ${plugin.name} has to be of type object`);
  }
  const check = validator(plugin.name, inputSchema);
  return {
    name: plugin.name,
    title: plugin.title,
    description: plugin.description,
    scopes: plugin.scopes ?? [],
    annotations: plugin.annotations,
    inputSchema,
    outputSchema: plugin.outputSchema,
    parse(args) {
      const result = check(args ?? {});
      return result === undefined ? { ok: true, value: args ?? {} } : { ok: false, problem: result };
    },
    // Checked to be an object by the schema above.
    run: async (value, context): Promise<CallToolResult> =>
      toResult(await plugin.handler(value as JsonObject, context.sessionId, context)),
  };
}

function validator(name: string, schema: JsonObject): (args: unknown) => string | undefined {
  let standard: ReturnType<typeof fromJsonSchema>;
  try {
    // The SDK's type lists the keywords; what is not a schema it refuses itself.
    standard = fromJsonSchema(schema as JsonSchemaType);
  } catch (cause) {
    throw new CidcastError("INVALID_CONFIG", `The input schema of ${name} is not JSON Schema`, { cause });
  }
  return args => {
    const result = standard["~standard"].validate(args);
    if (result instanceof Promise) return "the schema cannot be checked at once";
    return result.issues?.map(issue => issue.message).join("; ");
  };
}
