import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import type { Cancel, Clock, Logger, Principal, Tracer } from "../core/index.ts";
import { compressed, mayCompress } from "./compression.ts";
import type { WebSocketLimits } from "./limits.ts";
import type { WebSocketMetrics } from "./metrics.ts";
import { traced } from "./traced.ts";
import { createWorkQueue } from "./work-queue.ts";
import type { SocketContext, SocketHandler, SocketRoute } from "./types.ts";

/** Close codes of RFC 6455 section 7.4.1 that this side uses, and one of its own: a token is not good, or no longer. */
export const CLOSE = {
  goingAway: 1001,
  unsupported: 1003,
  policy: 1008,
  internal: 1011,
  unauthenticated: 4001,
} as const;
/** Longest reason of a close frame, bytes (RFC 6455 section 5.5: 125 with the code). */
const MAX_REASON_BYTES = 123;

export interface ServeSocketInit {
  readonly socket: WebSocket;
  readonly route: SocketRoute;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly principal: Principal;
  readonly remoteAddress: string | undefined;
  /** What carries the socket's frames. */
  readonly carrier: Duplex;
}

export interface ServeSocketComponents {
  readonly limits: WebSocketLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: WebSocketMetrics;
  readonly tracer?: Tracer | undefined;
}

/** An open socket, as the router keeps it. */
export interface ServedSocket {
  /** Ends it politely. */
  close(code: number, reason: string): void;
  terminate(): void;
  /** Resolves when it is closed and its handler has been told. */
  readonly closed: Promise<void>;
}

/** Joins a socket to its path's handler and keeps its limits until it is closed. */
export function serveSocket(init: ServeSocketInit, components: ServeSocketComponents): ServedSocket {
  const { socket, route, path, query, principal, remoteAddress, carrier } = init;
  const { limits, clock, log, metrics, tracer } = components;
  const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
  const packs = mayCompress(socket);
  let cause: string | undefined;

  const end = (why: string, code: number, reason: string): void => {
    cause ??= why;
    socket.close(code, clip(reason));
  };
  const cut = (why: string): void => {
    cause ??= why;
    socket.terminate();
  };
  const mayWrite = (): boolean => {
    if (socket.readyState !== socket.OPEN) return false;
    if (socket.bufferedAmount <= limits.maxOutgoingBytes) return true;
    // A close frame would wait behind what is not being read.
    cut("slow_reader");
    return false;
  };
  const context: SocketContext = {
    path,
    query,
    principal,
    remoteAddress,
    send(data) {
      if (!mayWrite()) return false;
      metrics.messages.add(1, { path: route.path, direction: "out" });
      const frame = packs && typeof data === "string" ? compressed(data) : undefined;
      if (frame !== undefined) carrier.write(frame);
      else socket.send(data, { compress: false });
      return true;
    },
    // The library is never let compress: it writes each frame at once, so that the order of all writes holds.
    sendFrames(frames: Buffer) {
      if (!mayWrite()) return false;
      carrier.write(frames);
      return true;
    },
    bufferedBytes: () => socket.bufferedAmount,
    close: (code, reason) => end("handler", code, reason),
  };
  const stopTimers = [
    keepAlive(socket, limits, clock, () => cut("no_pong")),
    route.clientSpeaks === false
      ? () => undefined
      : firstMessage(socket, limits, clock, () =>
          end("silent", CLOSE.policy, `nothing was sent within ${limits.firstMessageTimeoutMs} ms`),
        ),
  ];

  const fail = (error: unknown): void => {
    log.error({ err: error, path: route.path }, "socket handler failed");
    end("error", CLOSE.internal, "internal error");
  };
  const handler = connect(route, context, fail);
  const queue = createWorkQueue({
    maxRunning: limits.maxPendingMessages,
    onFull: () => socket.pause(),
    onFree: () => socket.resume(),
    onError: fail,
  });
  const push = (work: () => Promise<void> | void): void =>
    queue.push(tracer === undefined ? work : traced(tracer, route.path, work));
  socket.on("message", (data: RawData, isBinary: boolean) => {
    if (handler === undefined || socket.readyState !== socket.OPEN) return;
    metrics.messages.add(1, { path: route.path, direction: "in" });
    const bytes = toBuffer(data);
    if (!isBinary) return push(() => handler.onText(bytes.toString("utf8")));
    const { onBinary } = handler;
    if (onBinary === undefined) return end("binary", CLOSE.unsupported, "only text frames are read here");
    return push(() => onBinary.call(handler, bytes));
  });
  const onDrain = (): void => handler?.onDrain?.();
  carrier.on("drain", onDrain);
  // Too large (1009), not UTF-8 (1007), not a frame (1002): the library closes with the code.
  socket.on("error", error => {
    cause ??= "protocol";
    log.debug({ err: error, path: route.path }, "socket error");
  });
  socket.once("close", (code, reason) => {
    for (const stop of stopTimers) stop();
    carrier.off("drain", onDrain);
    metrics.closed.add(1, { cause: cause ?? "client" });
    const why = cause ?? `client closed: ${code} ${reason.toString("utf8")}`.trim();
    const tell = async (): Promise<void> => handler?.onClose(why);
    tell().catch(fail).finally(onClosed);
  });
  return { close: (code, reason) => end("stopping", code, reason), terminate: () => cut("stopping"), closed };
}

function connect(
  route: SocketRoute,
  context: SocketContext,
  onError: (error: unknown) => void,
): SocketHandler | undefined {
  try {
    return route.connect(context);
  } catch (error) {
    onError(error);
    return undefined;
  }
}

function firstMessage(
  socket: WebSocket,
  limits: WebSocketLimits,
  clock: Clock,
  onSilent: () => void,
): Cancel {
  const cancel = clock.after(limits.firstMessageTimeoutMs, onSilent);
  socket.once("message", cancel);
  return cancel;
}

function keepAlive(socket: WebSocket, limits: WebSocketLimits, clock: Clock, onDead: () => void): Cancel {
  let alive = true;
  const heard = (): void => {
    alive = true;
  };
  socket.on("pong", heard).on("message", heard).on("ping", heard);
  return clock.every(limits.pingIntervalMs, () => {
    // While reading is paused no pong can be seen.
    if (!alive && !socket.isPaused) return onDead();
    alive = false;
    if (socket.readyState === socket.OPEN) socket.ping();
    return undefined;
  });
}

function toBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

function clip(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > MAX_REASON_BYTES) text = text.slice(0, -1);
  return text.toWellFormed();
}
