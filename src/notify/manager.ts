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
  /** Calls `serve` with every route that is registered from now on, and what it returns when the route goes. */
  follow(serve: (route: SocketRoute) => () => void): () => void;
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
  const followers = new Set<(route: SocketRoute) => () => void>();
  return {
    registerRoute(route) {
      const path = plain(route.path);
      if (!path.startsWith("/")) {
        throw new CidcastError("INVALID_REQUEST", `A path begins with a slash: ${route.path}`);
      }
      if (routes.has(path)) throw new CidcastError("CONFLICT", `${route.path} is served already`);
      if (routes.size >= MAX_ROUTES) throw new CidcastError("LIMIT_REACHED", `At most ${MAX_ROUTES} routes`);
      // One who cannot serve it throws, and the route does not come to be.
      const ends = [...followers].map(serve => serve(route));
      routes.set(path, route);
      return () => {
        if (routes.get(path) !== route) return;
        routes.delete(path);
        for (const end of ends) end();
      };
    },
    follow(serve) {
      followers.add(serve);
      return () => {
        followers.delete(serve);
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
