import type {
  CallToolResult,
  CompleteResult,
  GetPromptResult,
  InputRequiredResult,
  Prompt,
  ReadResourceResult,
  Resource,
  ResourceTemplateType,
  ServerContext,
  ToolAnnotations,
} from "@modelcontextprotocol/server";
import type { Principal } from "../core/index.ts";

/** A JSON object. */
export type JsonObject = Record<string, unknown>;

/** What a handler is told of the request it answers. */
export interface RequestContext {
  readonly principal: Principal;
  /** Id of the caller's session, also where the protocol itself knows none. */
  readonly sessionId: string;
  /** Aborts when the caller cancels, goes away, or the tool's time is over. */
  readonly signal: AbortSignal;
  /** Tells the caller how far the work is, when it asked to be told. */
  progress(done: number, total?: number, message?: string): Promise<void>;
  /** A log message for the caller, when it wants messages of that level. */
  log(level: "debug" | "info" | "warning" | "error", data: unknown): Promise<void>;
  /**
   * Seals what a tool has to remember until its caller has answered a question (`requestState`). It comes back through
   * `protocol.mcpReq.requestState()`, from the same caller and within ten minutes, or not at all.
   */
  sealState(state: unknown): Promise<string>;
  /** The protocol's own view of the request: input from the user, sampling, the client's capabilities. */
  readonly protocol: ServerContext;
}

/** Arguments as a tool takes them, or what is wrong with them, in words. */
export type ParsedArguments =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/** A tool as every door serves it. */
export interface Tool {
  readonly name: string;
  readonly title: string | undefined;
  readonly description: string;
  /** JSON Schema of the arguments: an object. */
  readonly inputSchema: JsonObject;
  /** JSON Schema of the structured result. */
  readonly outputSchema: JsonObject | undefined;
  readonly annotations: ToolAnnotations | undefined;
  /** Scopes that a caller needs, all of them; empty: any caller who is known. */
  readonly scopes: readonly string[];
  readonly meta?: JsonObject | undefined;
  parse(args: unknown): ParsedArguments;
  /** `value` is what {@link Tool.parse} made. */
  run(value: unknown, context: RequestContext): Promise<CallToolResult | InputRequiredResult>;
}

/** A group of resources. */
export interface ResourceProvider {
  /** Templates it reads by. */
  readonly templates: readonly ResourceTemplateType[];
  /** Those worth listing for the caller. */
  list(context: RequestContext): Promise<readonly Resource[]>;
  /** Undefined when the URI is not of this group. Throws `CONTENT_NOT_FOUND` or `PATH_NOT_FOUND` when it leads nowhere. */
  read(uri: string, context: RequestContext): Promise<ReadResourceResult | InputRequiredResult | undefined>;
}

/** A prompt. */
export interface PromptDefinition {
  readonly prompt: Prompt;
  get(
    args: Readonly<Record<string, string>>,
    context: RequestContext,
  ): Promise<GetPromptResult | InputRequiredResult>;
}

/** What a client wants completed. */
export interface CompletionQuery {
  readonly ref:
    | { readonly type: "ref/prompt"; readonly name: string }
    | { readonly type: "ref/resource"; readonly uri: string };
  readonly argument: string;
  readonly value: string;
}

/** Everything that one server offers, at every door alike. */
export interface ServerDefinition {
  readonly name: string;
  readonly version: string;
  readonly title: string;
  readonly instructions: string;
  readonly tools: ReadonlyMap<string, Tool>;
  readonly resources: readonly ResourceProvider[];
  readonly prompts: readonly PromptDefinition[];
  complete(query: CompletionQuery, context: RequestContext): Promise<CompleteResult["completion"]>;
}
