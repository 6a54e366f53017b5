import {
  CLOSE_REASONS,
  CLOSE_TOO_LARGE,
  CLOSE_UNAUTHENTICATED,
  MAX_MESSAGE_BYTES,
} from "@cidcast/protocols/mcp";
import { ProtocolError } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { type Door, type Principal, toCidcastError } from "../../core/index.ts";
import type { Session } from "../../tenancy/index.ts";
import { MAX_WAITING } from "../limits.ts";
import { buildServer, type SessionServer } from "../server/build-server.ts";
import type { CallComponents } from "../server/call-tool.ts";
import { errorMessage, invalidRequest, parseMessages } from "./message.ts";
import { MessageTransport } from "./message-transport.ts";

/** A connection that carries one JSON-RPC message per frame: WebSocket, libp2p stream, data channel, pipe. */
export interface McpSocketInit {
  /** What it is called in lists of sessions: `websocket`, `libp2p`, `data-channel`, `stdio`. */
  readonly carrier: string;
  readonly door: Door;
  /** Sends one text frame. */
  readonly send: (text: string) => unknown;
  /** Closes the carrier; code and reason as WebSockets have them. */
  readonly close: (code: number, reason: string) => void;
  /** Who it is, where the carrier knows already. Without it `token` and `tenantId` have to say. */
  readonly principal?: Principal | undefined;
  readonly token?: string | undefined;
  readonly tenantId?: string | undefined;
  readonly remoteAddress?: string | undefined;
}

/** One open connection. */
export interface McpSocket {
  /** One frame of the client. Never throws: errors are answered. */
  receive(text: string): void;
  /** The carrier is gone. */
  close(): void;
  /** Resolves when the caller is known, or refused. */
  readonly ready: Promise<void>;
  /** Resolves when no request runs. */
  idle(): Promise<void>;
}

/** What sockets need beside what calls need. */
export interface SocketComponents extends CallComponents {
  /** Servers of open sessions, to tell them of changes. */
  readonly open: Set<SessionServer>;
}

/** Serves MCP on a connection, every revision: the first message decides which. */
export function openSocket(components: SocketComponents, init: McpSocketInit): McpSocket {
  return new Socket(components, init);
}

class Socket implements McpSocket {
  readonly ready: Promise<void>;
  readonly #components: SocketComponents;
  readonly #init: McpSocketInit;
  #waiting: string[] | undefined = [];
  #transport: MessageTransport | undefined;
  #session: Session | undefined;
  #unwatch: () => void = () => {};
  #servers: SessionServer[] = [];
  #closed = false;

  constructor(components: SocketComponents, init: McpSocketInit) {
    this.#components = components;
    this.#init = init;
    this.ready = this.#authenticate().then(
      principal => this.#serve(principal),
      (error: unknown) => this.#refuse(error),
    );
  }

  receive(text: string): void {
    if (this.#closed) return;
    if (text.length > MAX_MESSAGE_BYTES) {
      this.#components.metrics.limitHits.add(1, { limit: "message_bytes" });
      this.#end(CLOSE_TOO_LARGE, `A message has at most ${MAX_MESSAGE_BYTES} bytes`);
      return;
    }
    if (this.#waiting !== undefined) {
      if (this.#waiting.length >= MAX_WAITING) {
        this.#components.metrics.limitHits.add(1, { limit: "waiting" });
        this.#end(CLOSE_TOO_LARGE, "Too many messages before the token was checked");
        return;
      }
      this.#waiting.push(text);
      return;
    }
    this.#deliver(text);
  }

  close(): void {
    this.#end(undefined, "");
  }

  async idle(): Promise<void> {
    await this.#transport?.idle();
  }

  async #authenticate(): Promise<Principal> {
    const { principal, token, tenantId, door, remoteAddress } = this.#init;
    if (principal !== undefined) return principal;
    if (token === undefined || token === "") throw new ProtocolError(0, CLOSE_REASONS.tokenRequired);
    if (tenantId === undefined || tenantId === "") throw new ProtocolError(0, CLOSE_REASONS.tenantRequired);
    return this.#components.tenancy.resolveToken(token, { tenantId, door, remoteAddress });
  }

  #serve(principal: Principal): void {
    if (this.#closed) return;
    const { tenancy, log, open, metrics } = this.#components;
    const session = tenancy.sessions.open(principal, this.#init.carrier);
    this.#session = session;
    this.#unwatch = tenancy.watch(principal, () =>
      this.#end(CLOSE_UNAUTHENTICATED, CLOSE_REASONS.invalidToken),
    );
    const transport = new MessageTransport({
      send: this.#init.send,
      onClosed: () => this.#end(1000, ""),
      onLimit: () => metrics.limitHits.add(1, { limit: "in_flight" }),
    });
    this.#transport = transport;
    // The factory closes over the session: the entry point drops what a transport knows of its caller.
    serveStdio(
      ({ era }) => {
        const built = buildServer(this.#components, session, era);
        this.#servers.push(built);
        open.add(built);
        return built.server;
      },
      { transport, onerror: error => log.debug({ err: error, session: session.id }, "mcp connection") },
    );
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const text of waiting) this.#deliver(text);
  }

  #refuse(error: unknown): void {
    const message = error instanceof ProtocolError ? error.message : toCidcastError(error).message;
    this.#end(CLOSE_UNAUTHENTICATED, message.slice(0, 120));
  }

  #deliver(text: string): void {
    const principal = this.#session?.principal;
    if (principal === undefined || !this.#components.tenancy.isLive(principal)) {
      this.#end(CLOSE_UNAUTHENTICATED, CLOSE_REASONS.invalidToken);
      return;
    }
    try {
      for (const message of parseMessages(text)) this.#transport?.deliver(message);
    } catch (error) {
      const known = error instanceof ProtocolError ? error : invalidRequest();
      this.#init.send(JSON.stringify(errorMessage(null, known)));
    }
  }

  #end(code: number | undefined, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = undefined;
    this.#unwatch();
    this.#session?.close();
    for (const built of this.#servers) this.#components.open.delete(built);
    this.#transport?.close().catch((error: unknown) => {
      this.#components.log.warn({ err: error }, "an mcp connection did not close");
    });
    if (code !== undefined) this.#init.close(code, reason);
  }
}
