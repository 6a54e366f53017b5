import { type Action, CidcastError } from "../core/index.ts";
import type { EmitEvent } from "./emitter.ts";
import type { NotificationHandler } from "./socket/index.ts";
import type { SocketHandler } from "./types.ts";

/** An address that WebSockets connect to. */
export interface SocketRoute {
  /** Path of the URL. A slash at its end, given or not, makes no difference to clients. */
  readonly path: string;
  /** What a principal must be allowed to do. */
  readonly action: Action;
  readonly handler: SocketHandler;
}

/** Routes a node may have. */
export const MAX_ROUTES = 128;

/** The WebSockets of a node: which addresses there are, and a word to all who listen. */
export interface WebSocketManager {
  /** Adds an address; returns what takes it away. `CONFLICT` when it is taken. */
  registerRoute(route: SocketRoute): () => void;
  /** The route of a path. */
  route(path: string): SocketRoute | undefined;
  routes(): readonly SocketRoute[];
  readonly emitEvent: EmitEvent;
  /** A system notification to every notification connection. */
  broadcast(message: string, data?: Readonly<Record<string, unknown>>): void;
}

export interface WebSocketManagerComponents {
  readonly emitEvent: EmitEvent;
  readonly notifications: NotificationHandler;
}

export function createWebSocketManager(components: WebSocketManagerComponents): WebSocketManager {
  const routes = new Map<string, SocketRoute>();
  return {
    registerRoute(route) {
      const path = plain(route.path);
      if (!path.startsWith("/")) {
        throw new CidcastError("INVALID_REQUEST", `A path begins with a slash: ${route.path}`);
      }
      if (routes.has(path)) throw new CidcastError("CONFLICT", `${route.path} is served already`);
      if (routes.size >= MAX_ROUTES) throw new CidcastError("LIMIT_REACHED", `At most ${MAX_ROUTES} routes`);
      routes.set(path, route);
      return () => {
        if (routes.get(path) === route) routes.delete(path);
      };
    },
    route: path => routes.get(plain(path)),
    routes: () => [...routes.values()],
    emitEvent: components.emitEvent,
    broadcast: (message, data) => components.notifications.broadcast(message, data),
  };
}

function plain(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
