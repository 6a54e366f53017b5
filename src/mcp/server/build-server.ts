import {
  createRequestStateCodec,
  ProtocolError,
  type RequestStateCodec,
  ResourceNotFoundError,
  type Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { RPC_ERRORS } from "@cidcast/protocols/mcp";
import { isCidcastError, type Principal } from "../../core/index.ts";
import type { Session } from "../../tenancy/index.ts";
import { MAX_RESOURCE_SUBSCRIPTIONS } from "../limits.ts";
import type { RequestContext, Tool } from "../types.ts";
import { asProtocolError, type CallComponents, callTool, toolsFor } from "./call-tool.ts";
import { asksForInput } from "./define-tool.ts";
import { ProtocolServer } from "./protocol-server.ts";
import { tracedRequests } from "./traced.ts";

/** A JSON-RPC server of the definition for one session. */
export interface SessionServer {
  readonly server: Server;
  readonly principal: Principal;
  /** `modern`: the protocol's own layer knows what its client listens to. */
  readonly era: "legacy" | "modern";
  /** Resources that its client wants to hear about. */
  readonly subscriptions: Set<string>;
}

/** How long clients may keep lists, milliseconds: what is offered changes only with the node's configuration. */
const LIST_TTL_MS = 60_000;

/** Makes the server that answers one session, or one request where there are no sessions. */
export function buildServer(
  components: CallComponents,
  session: Session,
  era: "legacy" | "modern" = "legacy",
): SessionServer {
  const { definition } = components;
  const states = createRequestStateCodec({
    key: components.stateKey,
    // Bound to the caller and to the method: a state is worth nothing to anybody else, or elsewhere.
    bind: ({ mcpReq }) => `${session.principal.id} ${mcpReq.method}`,
  });
  const cacheHint = { ttlMs: LIST_TTL_MS, cacheScope: "private" } as const;
  const server = new ProtocolServer(
    { name: definition.name, version: definition.version, title: definition.title },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        completions: {},
        logging: {},
      },
      instructions: definition.instructions,
      requestState: { verify: states.verify },
      cacheHints: {
        "tools/list": cacheHint,
        "prompts/list": cacheHint,
        "resources/list": cacheHint,
        "resources/templates/list": cacheHint,
        "server/discover": cacheHint,
      },
    },
  );
  server.traced = tracedRequests(components, session.principal);
  const subscriptions = new Set<string>();
  const context = (protocol: ServerContext): RequestContext => requestContext(session, states, protocol);
  serveTools(server, components, context);
  serveResources(server, components, context);
  servePrompts(server, components, context);
  server.setRequestHandler("resources/subscribe", ({ params }) => {
    if (subscriptions.size >= MAX_RESOURCE_SUBSCRIPTIONS) {
      throw new ProtocolError(
        RPC_ERRORS.limitReached,
        `A session subscribes to at most ${MAX_RESOURCE_SUBSCRIPTIONS} resources`,
      );
    }
    subscriptions.add(params.uri);
    return {};
  });
  server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    subscriptions.delete(params.uri);
    return {};
  });
  // Older clients read the method's name in the message. The newest revision wants HTTP 404 with it, which only the
  // protocol layer's own answer gets.
  if (era === "legacy") {
    server.fallbackRequestHandler = async request => {
      throw new ProtocolError(RPC_ERRORS.methodNotFound, `Method not found: ${request.method}`);
    };
  }
  server.oninitialized = () => {
    const client = server.getClientVersion();
    if (client !== undefined) session.identify(`${client.name} ${client.version}`);
  };
  return { server, principal: session.principal, era, subscriptions };
}

type MakeContext = (protocol: ServerContext) => RequestContext;

function serveTools(server: Server, components: CallComponents, context: MakeContext): void {
  server.setRequestHandler("tools/list", (_, protocol) => ({
    tools: toolsFor(components.definition, context(protocol).principal).map(describeTool),
  }));
  server.setRequestHandler("tools/call", async (request, protocol) => {
    const { name, arguments: args } = request.params;
    const result = await callTool(components, name, args, context(protocol));
    if (asksForInput(result)) return result;
    return server.projectCallToolResult(result, components.definition.tools.get(name)?.outputSchema);
  });
}

function serveResources(server: Server, { definition, tenancy }: CallComponents, context: MakeContext): void {
  server.setRequestHandler("resources/list", async (_, protocol) => {
    const lists = await Promise.all(definition.resources.map(provider => provider.list(context(protocol))));
    return { resources: lists.flat() };
  });
  server.setRequestHandler("resources/templates/list", () => ({
    resourceTemplates: definition.resources.flatMap(provider => [...provider.templates]),
  }));
  server.setRequestHandler("resources/read", async (request, protocol) => {
    const { uri } = request.params;
    const requestContext = context(protocol);
    try {
      tenancy.quotas.takeRequest(requestContext.principal.tenantId);
      for (const provider of definition.resources) {
        const result = await provider.read(uri, requestContext);
        if (result !== undefined) return result;
      }
    } catch (error) {
      if (!isNotFound(error)) throw asProtocolError(error);
    }
    throw new ResourceNotFoundError(uri);
  });
}

function servePrompts(server: Server, { definition }: CallComponents, context: MakeContext): void {
  server.setRequestHandler("prompts/list", () => ({
    prompts: definition.prompts.map(entry => entry.prompt),
  }));
  server.setRequestHandler("prompts/get", async (request, protocol) => {
    const { name, arguments: args = {} } = request.params;
    const found = definition.prompts.find(entry => entry.prompt.name === name);
    if (found === undefined) throw new ProtocolError(RPC_ERRORS.invalidParams, `Prompt not found: ${name}`);
    const missing = found.prompt.arguments?.find(
      arg => arg.required === true && args[arg.name] === undefined,
    );
    if (missing !== undefined) {
      throw new ProtocolError(RPC_ERRORS.invalidParams, `Prompt ${name} needs the argument ${missing.name}`);
    }
    try {
      return await found.get(args, context(protocol));
    } catch (error) {
      throw asProtocolError(error);
    }
  });
  server.setRequestHandler("completion/complete", async (request, protocol) => {
    const { ref, argument } = request.params;
    const query = { ref, argument: argument.name, value: argument.value };
    try {
      return { completion: await definition.complete(query, context(protocol)) };
    } catch (error) {
      throw asProtocolError(error);
    }
  });
}

/** A tool as `tools/list` shows it. */
export function describeTool(tool: Tool) {
  return {
    name: tool.name,
    ...(tool.title !== undefined && { title: tool.title }),
    description: tool.description,
    // Both schemas are objects: `defineTool` and `customTool` make no others.
    inputSchema: tool.inputSchema as { type: "object" },
    ...(tool.outputSchema !== undefined && { outputSchema: tool.outputSchema as { type: "object" } }),
    ...(tool.annotations !== undefined && { annotations: tool.annotations }),
    ...(tool.meta !== undefined && { _meta: tool.meta }),
  };
}

function requestContext(
  session: Session,
  states: RequestStateCodec,
  protocol: ServerContext,
): RequestContext {
  const { mcpReq } = protocol;
  const progressToken = mcpReq._meta?.progressToken;
  session.touch();
  return {
    principal: session.principal,
    sessionId: session.id,
    signal: mcpReq.signal,
    async progress(progress, total, message) {
      if (progressToken === undefined) return;
      await mcpReq.notify({
        method: "notifications/progress",
        params: {
          progressToken,
          progress,
          ...(total !== undefined && { total }),
          ...(message !== undefined && { message }),
        },
      });
    },
    log: (level, data) => mcpReq.log(level, data, "cidcast"),
    sealState: state => states.mint(state, protocol),
    protocol: onOwnStream(protocol),
  };
}

/**
 * The protocol's context, with questions to the client sent on the stream of the request that asks. Sent on the session's
 * general stream, as they would be, they are lost when the client has not opened that one yet.
 */
function onOwnStream(protocol: ServerContext): ServerContext {
  const { mcpReq } = protocol;
  const related = { relatedRequestId: mcpReq.id };
  return {
    ...protocol,
    mcpReq: {
      ...mcpReq,
      elicitInput: (params, options) => mcpReq.elicitInput(params, { ...related, ...options }),
      requestSampling: (params, options) => mcpReq.requestSampling(params, { ...related, ...options }),
    },
  };
}

const NOT_FOUND_CODES = ["CONTENT_NOT_FOUND", "PATH_NOT_FOUND", "NOT_FOUND", "INVALID_CID"] as const;

function isNotFound(error: unknown): boolean {
  return NOT_FOUND_CODES.some(code => isCidcastError(error, code));
}
