import { ClientError } from "../client-error.ts";
import { type NodeAddress, socketUrl } from "../socket-url.ts";

/** Longest wait for a socket of the rooms, ms. */
export const ROOM_TIMEOUT_MS = 10_000;

export interface RoomOptions {
  readonly signal?: AbortSignal;
}

/** A socket to a room. */
export interface RoomSocket {
  readonly open: boolean;
  /** `NODE_UNREACHABLE` when the socket is closed. */
  send(text: string): void;
  close(): void;
}

/** Opens a socket of the rooms; hears each text frame, and once that it is closed. */
export async function openRoomSocket(
  node: NodeAddress,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  listener: { onText(text: string): void; onClose(code: number, reason: string): void } & RoomOptions,
): Promise<RoomSocket> {
  const { signal } = listener;
  const socket = new WebSocket(socketUrl(node, path, query));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const unreachable = (): void =>
    reject(new ClientError("NODE_UNREACHABLE", `No node answers at ${node.url}`));
  const abort = (): void => {
    reject(new ClientError("ABORTED", "The room was left by its signal", { cause: signal?.reason }));
    socket.close();
  };
  const timer = setTimeout(unreachable, ROOM_TIMEOUT_MS);
  socket.addEventListener("open", () => resolve(), { once: true });
  socket.addEventListener("error", unreachable);
  socket.addEventListener("message", event => {
    const data: unknown = event.data;
    if (typeof data === "string") listener.onText(data);
  });
  socket.addEventListener(
    "close",
    event => {
      signal?.removeEventListener("abort", abort);
      unreachable();
      listener.onClose(event.code, event.reason);
    },
    { once: true },
  );
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  try {
    await promise;
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return {
    get open() {
      return socket.readyState === WebSocket.OPEN;
    },
    send(text) {
      if (socket.readyState !== WebSocket.OPEN) {
        throw new ClientError("NODE_UNREACHABLE", "The socket of the room is closed");
      }
      socket.send(text);
    },
    close: () => socket.close(),
  };
}

/** A frame as an object; undefined when it is none. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // An object that came out of JSON has text keys.
    return typeof value === "object" && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
