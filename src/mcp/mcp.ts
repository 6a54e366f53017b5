import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Content } from "../content/index.ts";
import {
  type Cancel,
  CidcastError,
  type Clock,
  type Logger,
  type Metrics,
  type Principal,
  type Service,
  toCidcastError,
  type Tracer,
} from "../core/index.ts";
import type { Captions, Media } from "../media/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import { adminRoutes, type BackupSource } from "./api/admin-routes.ts";
import type { ConsoleSource } from "./api/console-routes.ts";
import { clientRoutes } from "./api/client-routes.ts";
import { bearerOf, type McpRoute } from "./api/route.ts";
import { type HttpRequest, nodeRequest, sendJson, sendWebResponse, webRequest } from "./doors/node-http.ts";
import { type McpSocket, type McpSocketInit, openSocket, type SocketComponents } from "./doors/socket.ts";
import { serveStdioDoor, type StdioInit } from "./doors/stdio.ts";
import { createStreamableHttp, type PlainAnswer, StatelessSessions } from "./doors/streamable-http.ts";
import { type EventSource, EVENTS_URI, eventResources, maySeeEvents } from "./events.ts";
import { EVENTS_TELL_MS, HTTP_SESSION_IDLE_MS, IDLE_SWEEP_MS, MAX_TOOLS } from "./limits.ts";
import { mcpMetrics } from "./metrics.ts";
import { createOAuth, isJwt, type OAuth, type OAuthInit } from "./oauth.ts";
import { completeContent, contentPrompts, contentResources } from "./resources.ts";
import type { SessionServer } from "./server/build-server.ts";
import { type CustomTool, customTool } from "./server/custom-tool.ts";
import { contentTools } from "./tools/node/content-tools.ts";
import { diagnoseTools, type NodeDiagnosis } from "./tools/node/diagnose-tools.ts";
import { evidenceTools } from "./tools/node/evidence-tools.ts";
import { ipfsTools } from "./tools/node/ipfs-tools.ts";
import { mediaTools } from "./tools/node/media-tools.ts";
import { type NodeWork, workTools } from "./tools/node/work-tools.ts";
import { calculatorTool, currentTimeTool, echoTool, systemInfoTool } from "./tools/seed/basic-tools.ts";
import { fileOperationsTool } from "./tools/seed/file-operations.ts";
import { createGuardedFetch, type GuardedFetch } from "./tools/web/guarded-fetch.ts";
import { secureApiTool, webRequestTool } from "./tools/web/web-tools.ts";
import type { PromptDefinition, ResourceProvider, ServerDefinition, Tool } from "./types.ts";

export interface McpInit {
  /** Version of the node. */
  readonly version: string;
  /** Below it each tenant has its files. */
  readonly filesDirectory: string;
  readonly adminKey: string;
  /** `CIDCAST_ADMIN_OPEN=loopback`: the admin API asks callers from loopback for no key. */
  readonly adminOpen?: "loopback" | undefined;
  /** Where people reach the node: `http://127.0.0.1:8000`. */
  readonly baseUrl: () => string;
  /** What the console shows of the node. */
  readonly console?: ConsoleSource | undefined;
  /** Writes a backup of the node, for who has the admin key. */
  readonly backup?: BackupSource | undefined;
  /** Whose access tokens `/mcp` takes beside the node's own. */
  readonly oauth?: OAuthInit | undefined;
  /** Offer tools under the names of other IPFS servers too: `ipfs_add` and its like. */
  readonly ipfsNames?: boolean | undefined;
  /** Tools beside the node's own. */
  readonly tools?: readonly CustomTool[];
  /** Resources and prompts beside the node's own. */
  readonly extensions?: McpExtensions | undefined;
}

/** More than tools, for who embeds the node. */
export interface McpExtensions {
  readonly tools?: readonly Tool[];
  readonly resources?: readonly ResourceProvider[];
  readonly prompts?: readonly PromptDefinition[];
  readonly complete?: ServerDefinition["complete"];
}

export interface McpComponents {
  readonly tenancy: Tenancy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Undefined: calls are not traced. */
  readonly tracer?: Tracer | undefined;
  /** Without it there are no tools over content and media. */
  readonly content?: Content | undefined;
  readonly media?: Media | undefined;
  readonly captions?: Captions | undefined;
  /** Without it there is no resource of events. */
  readonly events?: EventSource | undefined;
  /** Without it there are no tools over jobs, transfers and peers. */
  readonly work?: NodeWork | undefined;
  /** Without it there are no tools that say why something does not work. */
  readonly diagnose?: NodeDiagnosis | undefined;
  /** How `web_request` and `secure_api` reach the outside; default: public addresses only. */
  readonly fetch?: GuardedFetch | undefined;
}

/** One MCP server behind every door. */
export interface Mcp extends Service {
  readonly definition: ServerDefinition;
  /** Adds a tool; open sessions are told. `INVALID_CONFIG`, `CONFLICT` when there is one of that name. */
  registerTool(tool: CustomTool): void;
  /** `/mcp`, Streamable HTTP. Host and Origin are checked before. */
  fetch(
    request: Request,
    caller: { readonly principal: Principal; readonly remoteAddress?: string | undefined },
  ): Promise<Response>;
  /** {@link Mcp.fetch} for Node's own server. The body must not have been read. */
  serveHttp(incoming: IncomingMessage, outgoing: ServerResponse, principal: Principal): Promise<void>;
  /** A WebSocket, a libp2p stream, a data channel. */
  connect(init: McpSocketInit): McpSocket;
  /** A pipe; resolves when it ends. */
  serveStdio(init: StdioInit): Promise<void>;
  /** Undefined: only the node's own tokens are taken. */
  readonly oauth: OAuth | undefined;
  /** Routes of the HTTP server, beside `/mcp`. */
  readonly routes: readonly McpRoute[];
  /** Tells open sessions that the list of prompts has changed. */
  promptsChanged(): void;
  /** Tells sessions that subscribed to it that a resource has changed. */
  resourceUpdated(uri: string): void;
}

const INSTRUCTIONS =
  "cidcast stores media by content (CID) and plays it in browsers over WebRTC. Find content with content_search, look into " +
  "it with media_probe, get a page that plays it with play. Content is also readable as ipfs://<cid>.";

export function createMcp(init: McpInit, components: McpComponents): Mcp {
  const { tenancy, clock, log } = components;
  const tools = new Map<string, Tool>();
  const definition = defineServer(init, components, tools);
  const open = new Set<SessionServer>();
  const inner: SocketComponents = {
    definition,
    tenancy,
    clock,
    log,
    metrics: mcpMetrics(components.metrics),
    tracer: components.tracer,
    open,
    stateKey: randomBytes(32),
  };
  const http = createStreamableHttp(inner);
  const rpcSessions = new StatelessSessions(inner, "rpc");
  let stopSweeping = (): void => {};
  let stopTelling = (): void => {};

  const register = (tool: Tool): void => {
    if (tools.has(tool.name)) throw new CidcastError("CONFLICT", `There is a tool ${tool.name} already`);
    if (tools.size >= MAX_TOOLS)
      throw new CidcastError("LIMIT_REACHED", `A node has at most ${MAX_TOOLS} tools`);
    tools.set(tool.name, tool);
  };
  for (const tool of nodeTools(init, components)) register(tool);
  for (const tool of init.extensions?.tools ?? []) register(tool);
  for (const tool of init.tools ?? []) register(customTool(tool));

  const tell = (work: (session: SessionServer) => Promise<void>): void => {
    for (const session of open) {
      work(session).catch((error: unknown) =>
        log.debug({ err: error }, "an mcp session was not told of a change"),
      );
    }
  };

  const updated = (uri: string, accept: (principal: Principal) => boolean): void => {
    http.bus.publishTo({ kind: "resource_updated", uri }, accept);
    tell(async ({ server, subscriptions, principal, era }) => {
      if (!accept(principal) || !(era === "modern" || subscriptions.has(uri))) return;
      await server.sendResourceUpdated({ uri });
    });
  };

  const oauth = init.oauth && createOAuth(init.oauth, { tenancy, clock, log });
  const answerHttp = async (
    request: HttpRequest,
    principal: Principal,
    remoteAddress: string | undefined,
  ): Promise<Response | PlainAnswer> => {
    try {
      return await http.answer(request, {
        principal: await httpPrincipal({ tenancy, oauth }, request, principal, remoteAddress),
      });
    } catch (error) {
      return refusal(error, log, oauth?.challenge);
    }
  };

  return {
    name: "mcp",
    definition,
    oauth,
    routes: [
      ...clientRoutes(inner, rpcSessions),
      ...adminRoutes(
        {
          adminKey: init.adminKey,
          openOnLoopback: init.adminOpen === "loopback",
          console: init.console,
          backup: init.backup,
        },
        { ...inner, content: components.content },
      ),
    ],
    registerTool(tool) {
      register(customTool(tool));
      http.bus.publish({ kind: "tools_list_changed" });
      tell(({ server }) => server.sendToolListChanged());
    },
    async serveHttp(incoming, outgoing, principal) {
      const { remoteAddress } = incoming.socket;
      const answer = await answerHttp(nodeRequest(incoming, outgoing), principal, remoteAddress);
      if (answer instanceof Response) await sendWebResponse(answer, outgoing);
      else sendJson(answer.json, outgoing);
    },
    async fetch(request, { principal, remoteAddress }) {
      const answer = await answerHttp(webRequest(request), principal, remoteAddress);
      return answer instanceof Response ? answer : Response.json(answer.json);
    },
    connect: socket => openSocket(inner, socket),
    serveStdio: stdio => serveStdioDoor(inner, stdio),
    promptsChanged() {
      http.bus.publish({ kind: "prompts_list_changed" });
      tell(({ server }) => server.sendPromptListChanged());
    },
    resourceUpdated: uri => updated(uri, () => true),
    async start() {
      stopTelling = tellOfEvents(components, updated);
      if (init.adminOpen === "loopback") {
        log.warn({}, "the admin API is open to every program on this machine: CIDCAST_ADMIN_OPEN=loopback");
      }
      stopSweeping = clock.every(IDLE_SWEEP_MS, () =>
        rpcSessions.sweep(clock.monotonicMs() - HTTP_SESSION_IDLE_MS),
      );
    },
    async stop() {
      stopSweeping();
      stopTelling();
      rpcSessions.close();
      await http.close();
      for (const { server } of open) await server.close();
    },
  };
}

/** Tells who subscribed to events that there are new ones, for many at once; gives what ends it. */
function tellOfEvents(
  { events, clock }: McpComponents,
  updated: (uri: string, accept: (principal: Principal) => boolean) => void,
): () => void {
  if (events === undefined) return () => undefined;
  const tenants = new Set<string>();
  let waiting: Cancel | undefined;
  const flush = (): void => {
    waiting = undefined;
    const heard = new Set(tenants);
    tenants.clear();
    updated(EVENTS_URI, principal => {
      const { tenantId } = principal;
      return maySeeEvents(principal) && (tenantId === undefined || heard.has(tenantId));
    });
  };
  const unfollow = events.follow(tenantId => {
    if (tenantId !== undefined) tenants.add(tenantId);
    waiting ??= clock.after(EVENTS_TELL_MS, flush);
  });
  return () => {
    unfollow();
    waiting?.();
  };
}

function nodeTools(init: McpInit, components: McpComponents): Tool[] {
  const { tenancy, clock, content, media, captions, fetch = createGuardedFetch() } = components;
  const web = { fetch, credentials: tenancy.credentials };
  return [
    echoTool,
    currentTimeTool(clock),
    calculatorTool,
    systemInfoTool(init.version),
    fileOperationsTool(init.filesDirectory, tenancy),
    webRequestTool(web),
    secureApiTool(web),
    ...(content === undefined ? [] : contentTools(content, tenancy)),
    ...(content === undefined || init.ipfsNames !== true
      ? []
      : ipfsTools({ content, tenancy, node: init.console })),
    ...(content === undefined || media === undefined
      ? []
      : mediaTools({ content, media, tenancy, baseUrl: init.baseUrl })),
    ...(content === undefined || media === undefined || captions === undefined
      ? []
      : evidenceTools({ content, media, captions, tenancy })),
    ...(components.work === undefined ? [] : workTools(components.work)),
    ...(components.diagnose === undefined ? [] : diagnoseTools(components.diagnose)),
  ];
}

function defineServer(
  init: McpInit,
  components: McpComponents,
  tools: ReadonlyMap<string, Tool>,
): ServerDefinition {
  const { content, tenancy } = components;
  const { extensions = {} } = init;
  return {
    name: "cidcast",
    version: init.version,
    title: "cidcast",
    instructions: INSTRUCTIONS,
    tools,
    resources: [
      ...(extensions.resources ?? []),
      ...(content === undefined ? [] : [contentResources(content, tenancy)]),
      ...(components.events === undefined ? [] : [eventResources(components.events)]),
    ],
    prompts: [...(extensions.prompts ?? []), ...(content === undefined ? [] : contentPrompts)],
    async complete(query, context) {
      const own = await extensions.complete?.(query, context);
      if (own !== undefined && own.values.length > 0) return own;
      if (content === undefined) return own ?? { values: [], total: 0, hasMore: false };
      return completeContent(content, tenancy, query, context);
    },
  };
}

/** A token of a tenant says who it is; without one, the server that took the request does. */
async function httpPrincipal(
  { tenancy, oauth }: { readonly tenancy: Tenancy; readonly oauth: OAuth | undefined },
  request: HttpRequest,
  principal: Principal,
  remoteAddress: string | undefined,
): Promise<Principal> {
  const token = bearerOf(request);
  if (token !== undefined && oauth !== undefined && isJwt(token))
    return oauth.principalOf(token, remoteAddress);
  // A caller whom the server knows by this very header, the node's own token for instance, is known already.
  if (token !== undefined && (principal.kind === "anonymous" || token.startsWith("cct_"))) {
    const tenantId = request.header("x-tenant-id");
    return tenancy.resolveToken(token, { door: "http", remoteAddress, tenantId });
  }
  if (principal.kind === "anonymous") throw new CidcastError("UNAUTHENTICATED", "Bearer token required");
  return principal;
}

function refusal(error: unknown, log: Logger, challenge = "Bearer"): Response {
  const known = toCidcastError(error);
  if (known.code === "INTERNAL") log.error({ err: error }, "an mcp request failed");
  const headers = new Headers();
  if (known.code === "UNAUTHENTICATED") headers.set("www-authenticate", challenge);
  if (known.retryAfterSeconds !== undefined) headers.set("retry-after", String(known.retryAfterSeconds));
  const message = known.code === "INTERNAL" ? "Internal error" : known.message;
  const body = { jsonrpc: "2.0", error: { code: -32000, message, data: { code: known.code } }, id: null };
  return Response.json(body, { status: known.status, headers });
}
