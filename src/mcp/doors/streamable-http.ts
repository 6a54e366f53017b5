import { MAX_MESSAGE_BYTES, rpcRequest } from "@cidcast/protocols/mcp";
import {
  type AuthInfo,
  createMcpHandler,
  isInitializeRequest,
  isJsonContentType,
  isLegacyRequest,
  type McpRequestContext,
  PROTOCOL_VERSION_META_KEY,
  ProtocolError,
  SUPPORTED_PROTOCOL_VERSIONS,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { type Principal, toCidcastError } from "../../core/index.ts";
import type { Session } from "../../tenancy/index.ts";
import {
  HTTP_SESSION_IDLE_MS,
  IDLE_SWEEP_MS,
  MAX_BATCH,
  MAX_HTTP_SESSIONS,
  MAX_SUBSCRIPTIONS,
} from "../limits.ts";
import { buildServer } from "../server/build-server.ts";
import { PrincipalBus } from "../server/principal-bus.ts";
import { createEventStore } from "./event-store.ts";
import { completeInitialize, errorMessage, invalidRequest, parseError, parseJson } from "./message.ts";
import type { HttpRequest } from "./node-http.ts";
import { answerRpc } from "./rpc.ts";
import type { SocketComponents } from "./socket.ts";

/** What the door is told beside the request. */
export interface HttpCaller {
  readonly principal: Principal;
}

/** An answer that is JSON with the status 200. */
export interface PlainAnswer {
  readonly json: unknown;
}

/** MCP over Streamable HTTP, every revision. Host and Origin are checked before. */
export interface StreamableHttp {
  /** The answer, or JSON alone where that is all of it. */
  answer(request: HttpRequest, caller: HttpCaller): Promise<Response | PlainAnswer>;
  /** Change events for `subscriptions/listen`. */
  readonly bus: PrincipalBus;
  close(): Promise<void>;
  readonly openSessions: number;
}

interface HttpSession {
  readonly principalId: string;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  lastUsedMs: number;
  readonly end: () => void;
}

export function createStreamableHttp(components: SocketComponents): StreamableHttp {
  const { clock, tenancy, log, open, metrics } = components;
  const sessions = new Map<string, HttpSession>();
  const bus = new PrincipalBus(error => log.warn({ err: error }, "mcp subscription failed"));
  const onerror = (error: Error): void => log.debug({ err: error }, "mcp http");
  const principalOf = (context: McpRequestContext): Principal => {
    // Put there by `authInfo` below, for every request that gets to the handler.
    const principal = context.authInfo?.extra?.["principal"] as Principal | undefined;
    if (principal === undefined) throw new Error("a request without a principal");
    return principal;
  };
  /** Requests without a session of the protocol: each principal has one of ours, for lists and audit. */
  const stateless = new StatelessSessions(components);
  const modern = createMcpHandler(
    context => buildServer(components, stateless.of(principalOf(context)), context.era).server,
    {
      legacy: "reject",
      onerror,
      bus,
      maxSubscriptions: MAX_SUBSCRIPTIONS,
      maxRequestBodySize: MAX_MESSAGE_BYTES,
    },
  );

  const sweep = clock.every(IDLE_SWEEP_MS, () => {
    const before = clock.monotonicMs() - HTTP_SESSION_IDLE_MS;
    for (const session of sessions.values()) if (session.lastUsedMs < before) session.end();
    stateless.sweep(before);
  });

  const openSession = async (principal: Principal): Promise<HttpSession | Response> => {
    if (sessions.size >= MAX_HTTP_SESSIONS) {
      metrics.limitHits.add(1, { limit: "http_sessions" });
      return problem(503, -32000, `The node has ${MAX_HTTP_SESSIONS} open MCP sessions: try again later`);
    }
    let session: Session;
    try {
      session = tenancy.sessions.open(principal, "streamable-http");
    } catch (error) {
      const known = toCidcastError(error);
      return problem(known.status, -32000, known.message);
    }
    const built = buildServer(components, session);
    open.add(built);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => session.id,
      eventStore: createEventStore(),
      retryInterval: 500,
      maxRequestBodySize: MAX_MESSAGE_BYTES,
      onsessioninitialized: id => {
        sessions.set(id, entry);
      },
    });
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      sessions.delete(session.id);
      open.delete(built);
      unwatch();
      session.close();
      built.server.close().catch(onerror);
    };
    const unwatch = tenancy.watch(principal, end);
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK's transports take one callback
    transport.onclose = end;
    const entry: HttpSession = {
      principalId: principal.id,
      transport,
      lastUsedMs: clock.monotonicMs(),
      end,
    };
    await built.server.connect(transport);
    return entry;
  };

  const serveLegacy = async (
    request: Request,
    parsedBody: unknown,
    authInfo: AuthInfo,
  ): Promise<Response> => {
    const principal = authInfo.extra?.["principal"] as Principal;
    const options = { authInfo, ...(parsedBody !== undefined && { parsedBody }) };
    const id = request.headers.get("mcp-session-id");
    if (id !== null) {
      const session = sessions.get(id);
      // A session of somebody else is no session: its id alone opens nothing, and does not tell that it exists.
      if (session === undefined || session.principalId !== principal.id) {
        return problem(404, -32001, "Session not found");
      }
      session.lastUsedMs = clock.monotonicMs();
      return session.transport.handleRequest(request, options);
    }
    const messages = Array.isArray(parsedBody) ? parsedBody : [parsedBody];
    if (messages.some(isInitializeRequest)) {
      const session = await openSession(principal);
      if (session instanceof Response) return session;
      const response = await session.transport.handleRequest(request, options);
      // Refused before there was a session: nothing will ever use or close it.
      if (!sessions.has(response.headers.get("mcp-session-id") ?? "")) session.end();
      return response;
    }
    if (request.method !== "POST")
      return problem(400, -32000, "Bad Request: Mcp-Session-Id header is required");
    return serveOnce(request, options, principal);
  };
  /** A request outside any session: answered by itself. */
  const serveOnce = async (
    request: Request,
    options: { readonly authInfo: AuthInfo; readonly parsedBody?: unknown },
    principal: Principal,
  ): Promise<Response> => {
    const { server } = buildServer(components, stateless.of(principal));
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport);
    try {
      return await transport.handleRequest(request, options);
    } finally {
      await server.close();
    }
  };

  return {
    bus,
    get openSessions() {
      return sessions.size;
    },
    async answer(request, { principal }) {
      if (!tenancy.isLive(principal)) return problem(401, -32000, "Invalid or expired token");
      const body = await readBody(request);
      if (body instanceof Response) {
        metrics.limitHits.add(body.status === 413 ? 1 : 0, { limit: "message_bytes" });
        return body;
      }
      // A token that ends takes the streams it opened with it, as a client that goes away does.
      const over = new AbortController();
      const end = (): void => over.abort();
      const unwatch = tenancy.watch(principal, end);
      request.signal.addEventListener("abort", end, { once: true });
      if (request.signal.aborted) end();
      const release = (): void => {
        request.signal.removeEventListener("abort", end);
        unwatch();
      };
      const { signal } = over;
      try {
        if (isPlain(request, body.json)) {
          const json = await answerRpc(components, stateless.of(principal), body.json, signal);
          release();
          return { json };
        }
        const bound = new Request(request.url, {
          method: request.method,
          headers: request.headers(),
          signal,
        });
        const authInfo: AuthInfo = {
          token: "",
          clientId: principal.id,
          scopes: [...principal.scopes],
          extra: { principal },
        };
        const options = { authInfo, ...(body.json !== undefined && { parsedBody: body.json }) };
        const response = (await isLegacyRequest(bound, body.json))
          ? await serveLegacy(bound, body.json, authInfo)
          : await bus.as(principal, () => modern.fetch(bound, options));
        return endWith(response, signal, release);
      } catch (error) {
        release();
        throw error;
      }
    },
    async close() {
      sweep();
      for (const session of sessions.values()) session.end();
      stateless.close();
      await modern.close();
    },
  };
}

/** Methods of which nothing comes but the answer. */
const PLAIN_METHODS: ReadonlySet<unknown> = new Set([
  "tools/call",
  "tools/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "prompts/list",
  "prompts/get",
  "completion/complete",
  "ping",
]);

/**
 * True for one request of the older revisions that belongs to no session and is well formed as HTTP: it is answered as by
 * `POST /api/mcp/rpc/`, at a part of what the transport takes for it. What is not is refused there, in its own words.
 */
function isPlain({ method: verb, header }: HttpRequest, json: unknown): boolean {
  if (verb !== "POST" || header("mcp-session-id") !== undefined) return false;
  const accept = header("accept") ?? "";
  if (!accept.includes("application/json") || !accept.includes("text/event-stream")) return false;
  const revision = header("mcp-protocol-version");
  if (revision !== undefined && !SUPPORTED_PROTOCOL_VERSIONS.includes(revision)) return false;
  const checked = rpcRequest.safeParse(json);
  if (!checked.success) return false;
  const { id, method, params } = checked.data;
  if (id === undefined || id === null || !PLAIN_METHODS.has(method)) return false;
  const meta = params?.["_meta"];
  const says = typeof meta === "object" && meta !== null && PROTOCOL_VERSION_META_KEY in meta;
  return !says && (method !== "tools/call" || typeof params?.["name"] === "string");
}

/** Reads and checks the body of a POST; other methods have none. */
async function readBody(request: HttpRequest): Promise<{ readonly json: unknown } | Response> {
  if (request.method !== "POST") return { json: undefined };
  if (!isJsonContentType(request.header("content-type") ?? null)) {
    return problem(415, -32000, "Unsupported Media Type: Content-Type must be application/json");
  }
  const declared = Number(request.header("content-length") ?? 0);
  const text = declared > MAX_MESSAGE_BYTES ? undefined : await request.text(MAX_MESSAGE_BYTES);
  if (text === undefined) return problem(413, -32000, `A message has at most ${MAX_MESSAGE_BYTES} bytes`);
  try {
    const json = completeInitialize(parseJson(text));
    if (Array.isArray(json) && (json.length === 0 || json.length > MAX_BATCH)) throw invalidRequest();
    return { json };
  } catch (error) {
    const known = error instanceof ProtocolError ? error : parseError();
    return Response.json(errorMessage(null, known), { status: 400 });
  }
}

/** The response, whose stream ends when the signal aborts; `done` is called once it has ended either way. */
function endWith(response: Response, signal: AbortSignal, done: () => void): Response {
  if (
    response.body === null ||
    !(response.headers.get("content-type") ?? "").startsWith("text/event-stream")
  ) {
    done();
    return response;
  }
  const reader = response.body.getReader();
  const stop = (): void => {
    reader.cancel().catch(() => undefined);
  };
  signal.addEventListener("abort", stop, { once: true });
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done: ended, value } = await reader.read();
        if (!ended) {
          controller.enqueue(value);
          return;
        }
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      done();
    },
    async cancel(reason) {
      done();
      await reader.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

function problem(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status });
}

/** One session of ours per principal for requests that belong to none of the protocol's. */
export class StatelessSessions {
  readonly #components: Pick<SocketComponents, "tenancy" | "clock">;
  readonly #carrier: string;
  readonly #sessions = new Map<
    string,
    { readonly session: Session; usedMs: number; readonly unwatch: () => void }
  >();

  constructor(components: Pick<SocketComponents, "tenancy" | "clock">, carrier = "http") {
    this.#components = components;
    this.#carrier = carrier;
  }

  /** The principal's session, opened on first use. */
  of(principal: Principal): Session {
    const { tenancy, clock } = this.#components;
    const known = this.#sessions.get(principal.id);
    if (known !== undefined) {
      known.usedMs = clock.monotonicMs();
      return known.session;
    }
    const session = tenancy.sessions.open(principal, this.#carrier);
    const unwatch = tenancy.watch(principal, () => this.#end(principal.id));
    this.#sessions.set(principal.id, { session, usedMs: clock.monotonicMs(), unwatch });
    return session;
  }

  /** Closes those not used since. */
  sweep(beforeMs: number): void {
    for (const [id, entry] of this.#sessions) if (entry.usedMs < beforeMs) this.#end(id);
  }

  close(): void {
    for (const id of this.#sessions.keys()) this.#end(id);
  }

  #end(id: string): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined) return;
    this.#sessions.delete(id);
    entry.unwatch();
    entry.session.close();
  }
}
