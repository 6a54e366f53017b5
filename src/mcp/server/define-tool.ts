import type {
  CallToolResult,
  ContentBlock,
  InputRequiredResult,
  ToolAnnotations,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import type { JsonObject, ParsedArguments, RequestContext, Tool } from "../types.ts";

/** What a tool answers. A text alone is the text block of the result. */
export type ToolReply =
  | string
  | {
      /** Default: the structured result as JSON. */
      readonly text?: string;
      readonly structured?: JsonObject;
      /** Blocks after the text: links, pictures. */
      readonly content?: readonly ContentBlock[];
    };

/** A tool, written with schemas. */
export interface ToolInit<I extends z.ZodObject, O extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly scopes: readonly string[];
  readonly annotations: ToolAnnotations;
  readonly input: I;
  /** Shape of `structured`. */
  readonly output?: O;
  run(args: z.output<I>, context: RequestContext): Promise<ToolReply>;
}

/** Makes a tool of schemas and a function. */
export function defineTool<I extends z.ZodObject, O extends z.ZodObject = z.ZodObject>(
  init: ToolInit<I, O>,
): Tool {
  return {
    name: init.name,
    title: init.title,
    description: init.description,
    scopes: init.scopes,
    annotations: init.annotations,
    inputSchema: jsonSchema(init.input),
    outputSchema: init.output === undefined ? undefined : jsonSchema(init.output),
    parse: args => parseWith(init.input, args),
    // The value comes from `parse`, which makes exactly this type.
    run: async (value, context) => toResult(await init.run(value as z.output<I>, context)),
  };
}

function jsonSchema(schema: z.ZodObject): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", target: "draft-2020-12" });
  return rest;
}

/** Arguments by a schema; what is wrong is told with the path to it. */
export function parseWith(schema: z.ZodType, args: unknown): ParsedArguments {
  const parsed = schema.safeParse(args ?? {});
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, problem: issuesText(parsed.error.issues) };
}

/** What does not fit a schema, in words, each with the path to it. */
export function issuesText(issues: readonly Pick<z.core.$ZodIssue, "path" | "message">[]): string {
  return issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
    .join("; ");
}

/** A tool's answer as the protocol's. */
export function toResult(reply: ToolReply): CallToolResult {
  if (typeof reply === "string") return { content: [{ type: "text", text: reply }] };
  const { structured, content = [] } = reply;
  const text = reply.text ?? (structured === undefined ? undefined : JSON.stringify(structured, null, 2));
  return {
    content: [...(text === undefined ? [] : [{ type: "text" as const, text }]), ...content],
    ...(structured !== undefined && { structuredContent: structured }),
  };
}

/** An answer that says what went wrong, for the model to act on. */
export function errorResult(text: string): CallToolResult {
  return { content: [{ type: "text", text }], isError: true };
}

/** True for an answer that asks the caller for input. */
export function asksForInput(result: CallToolResult | InputRequiredResult): result is InputRequiredResult {
  return "resultType" in result && result.resultType === "input_required";
}
