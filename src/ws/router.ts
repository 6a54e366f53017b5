import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { CidcastError, isCidcastError, type Principal, systemClock, toCidcastError } from "../core/index.ts";
import { COMPRESSION, windowsFit } from "./compression.ts";
import { DEFAULT_WEB_SOCKET_LIMITS, type WebSocketLimits } from "./limits.ts";
import { webSocketMetrics } from "./metrics.ts";
import { refuseUpgrade } from "./refuse.ts";
import { signallingRoutes } from "./signalling.ts";
import { CLOSE, type ServedSocket, serveSocket } from "./socket.ts";
import type { SocketRoute, WebSocketComponents, WebSocketInit, WebSocketRouter } from "./types.ts";

/** Refusals of a token: a client that is told otherwise would try again. */
const TOKEN_REFUSED: ReadonlySet<string> = new Set(["UNAUTHENTICATED", "FORBIDDEN"]);

/** Makes the WebSocket door, with the signalling paths on it. */
export function createWebSocketRouter(
  init: WebSocketInit,
): (components: WebSocketComponents) => WebSocketRouter {
  return components => new Router(init, components);
}

class Router implements WebSocketRouter {
  readonly name = "ws";
  readonly #components: WebSocketComponents;
  readonly #limits: WebSocketLimits;
  readonly #routes = new Map<string, SocketRoute>();
  readonly #sockets = new Set<ServedSocket>();
  readonly #byAddress = new Map<string, number>();
  readonly #metrics: ReturnType<typeof webSocketMetrics>;
  /** By the largest message they read. */
  readonly #servers = new Map<number, WebSocketServer>();
  #started = false;
  #stopped: Promise<void> | undefined;

  constructor(init: WebSocketInit, components: WebSocketComponents) {
    this.#components = components;
    this.#limits = { ...DEFAULT_WEB_SOCKET_LIMITS, ...init.limits };
    this.#metrics = webSocketMetrics(components.metrics, () => this.#sockets.size);
    for (const route of signallingRoutes(components.signalling, components.signallingMissing))
      this.handle(route);
  }

  handle(route: SocketRoute): () => void {
    if (this.#routes.has(route.path)) {
      throw new CidcastError("CONFLICT", `the WebSocket path ${route.path} is taken`);
    }
    this.#routes.set(route.path, route);
    return () => {
      if (this.#routes.get(route.path) === route) this.#routes.delete(route.path);
    };
  }

  routes(): readonly SocketRoute[] {
    return [...this.#routes.values()];
  }

  connections(): number {
    return this.#sockets.size;
  }

  async start(): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    this.#components.server.on("upgrade", this.#onUpgrade);
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#components.server.off("upgrade", this.#onUpgrade);
    const sockets = [...this.#sockets];
    for (const socket of sockets) socket.close(CLOSE.goingAway, "the node is stopping");
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#limits.closeTimeoutMs);
    await Promise.race([Promise.all(sockets.map(socket => socket.closed)), late]);
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.terminate();
    for (const server of this.#servers.values()) server.close();
  }

  #serverOf(route: SocketRoute | undefined): WebSocketServer {
    const maxPayload = route?.maxMessageBytes ?? this.#limits.maxMessageBytes;
    const known = this.#servers.get(maxPayload);
    if (known !== undefined) return known;
    const options = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: COMPRESSION,
      maxPayload,
      // Known to the library, not to its types.
      closeTimeout: this.#limits.closeTimeoutMs,
    };
    const server = new WebSocketServer(options);
    server.on("wsClientError", (error, socket) => {
      refuseUpgrade(socket, new CidcastError("INVALID_REQUEST", error.message));
    });
    this.#servers.set(maxPayload, server);
    return server;
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const { log } = this.#components;
    socket.on("error", error => log.debug({ err: error }, "socket error during upgrade"));
    void this.#upgrade(request, socket, head);
  };

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { log } = this.#components;
    try {
      const url = URL.parse(request.url ?? "/", "http://localhost");
      const path = url?.pathname ?? "";
      const route = this.#routes.get(path);
      const principal = await this.#admit(request, route).catch((error: unknown) => {
        const told =
          isCidcastError(error) && TOKEN_REFUSED.has(error.code) ? route?.refuse?.(error) : undefined;
        if (told === undefined || socket.destroyed) throw error;
        this.#metrics.refused.add(1, { reason: toCidcastError(error).code });
        this.#serverOf(route).handleUpgrade(request, socket, head, ws => ws.close(told.code, told.reason));
      });
      if (principal === undefined || route === undefined) return;
      // It may have hung up while its token was looked up.
      if (socket.destroyed) return;
      const query = url?.searchParams ?? new URLSearchParams();
      query.delete("token");
      const remoteAddress = request.socket.remoteAddress;
      const { "sec-websocket-extensions": offer = "" } = request.headers;
      if (!windowsFit(offer)) delete request.headers["sec-websocket-extensions"];
      this.#serverOf(route).handleUpgrade(request, socket, head, ws =>
        this.#serve(ws, { route, principal, path, query, remoteAddress, carrier: socket }, request),
      );
    } catch (thrown) {
      const error = toCidcastError(thrown);
      if (error.code === "INTERNAL") log.error({ err: thrown }, "upgrade failed");
      this.#metrics.refused.add(1, { reason: error.code });
      refuseUpgrade(socket, error);
    }
  }

  async #admit(request: IncomingMessage, route: SocketRoute | undefined): Promise<Principal> {
    // Host and Origin first: a page of somebody else learns not even which paths there are.
    const principal = await this.#components.admit(request);
    if (this.#stopped !== undefined) throw new CidcastError("SHUTTING_DOWN", "The node is stopping");
    if (route === undefined) throw new CidcastError("NOT_FOUND", "There is no WebSocket at this address");
    this.#components.authoriser.authorise(principal, route.action);
    const { maxSockets, maxSocketsPerAddress } = this.#limits;
    if (this.#sockets.size >= maxSockets) {
      throw new CidcastError("BUSY", `${maxSockets} WebSockets are open`, { retryAfterSeconds: 5 });
    }
    if ((this.#byAddress.get(addressOf(request)) ?? 0) >= maxSocketsPerAddress) {
      throw new CidcastError("LIMIT_REACHED", `${maxSocketsPerAddress} WebSockets of this address are open`, {
        retryAfterSeconds: 5,
      });
    }
    return principal;
  }

  #serve(
    socket: WebSocket,
    init: Omit<Parameters<typeof serveSocket>[0], "socket">,
    request: IncomingMessage,
  ): void {
    const { log, clock = systemClock, watch, tracer } = this.#components;
    const address = addressOf(request);
    const served = serveSocket(
      { ...init, socket },
      { limits: this.#limits, clock, log, metrics: this.#metrics, tracer },
    );
    this.#metrics.opened.add(1, { path: init.route.path });
    this.#sockets.add(served);
    const unwatch = watch?.(init.principal, () =>
      served.close(CLOSE.unauthenticated, "Invalid or expired token"),
    );
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
    socket.once("close", () => {
      this.#sockets.delete(served);
      unwatch?.();
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, left);
    });
  }
}

function addressOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? "";
}
