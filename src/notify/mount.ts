import type { Action, Principal } from "../core/index.ts";
import type { SocketRoute } from "./manager.ts";
import type { SocketInit } from "./types.ts";

/** What a WebSocket router knows about a connection. What it leaves out is done without. */
export interface MountContext {
  readonly query: URLSearchParams;
  readonly principal: Principal;
  readonly remoteAddress?: string | undefined;
  send(text: string): boolean;
  /** Writes frames of a server as they are. */
  sendFrames?(frames: Buffer): boolean;
  /** Bytes waiting; without it the router alone watches for clients that do not read. */
  bufferedBytes?(): number;
  close(code: number, reason: string): void;
}

/** A route as a WebSocket router takes it. */
export interface MountedRoute {
  readonly path: string;
  readonly action: Action;
  /** A client may listen and never speak. */
  readonly clientSpeaks: false;
  connect(context: MountContext): {
    onText(text: string): void | Promise<void>;
    onDrain(): void;
    onClose(reason: string): void | Promise<void>;
  };
}

/** Routes for a router that matches paths exactly: each with and without a slash at its end. */
export function mountRoutes(routes: readonly SocketRoute[]): MountedRoute[] {
  return routes.flatMap(route => bothForms(route.path).map(path => mounted(route, path)));
}

function mounted({ action, handler }: SocketRoute, path: string): MountedRoute {
  return {
    path,
    action,
    clientSpeaks: false,
    connect(context) {
      const { principal, query, remoteAddress } = context;
      const init: SocketInit = {
        principal,
        query,
        remoteAddress,
        send: text => context.send(text),
        ...(context.sendFrames === undefined
          ? {}
          : { sendFrames: frames => context.sendFrames?.(frames) ?? false }),
        bufferedBytes: () => context.bufferedBytes?.() ?? 0,
        close: (code, reason) => context.close(code, reason),
      };
      const connection = handler.connect(init);
      return {
        onText: text => connection.receive(text),
        onDrain: () => connection.drained?.(),
        onClose: reason => connection.close(reason),
      };
    },
  };
}

function bothForms(path: string): string[] {
  if (path === "/") return [path];
  const plain = path.endsWith("/") ? path.slice(0, -1) : path;
  return [plain, `${plain}/`];
}
