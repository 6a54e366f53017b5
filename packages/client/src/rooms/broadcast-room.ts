import { ClientError } from "../client-error.ts";
import { createEmitter } from "../emitter.ts";
import type { NodeAddress } from "../socket-url.ts";
import { openRoomSocket, parseObject, type RoomOptions } from "./room-socket.ts";

/** A message of the broadcast rooms. Fields beside `type` are between the clients. */
export interface RelayMessage {
  readonly type: "offer" | "answer" | "candidate" | "leave";
  readonly [field: string]: unknown;
}

export interface BroadcastRoomEvents {
  /** What another member sent. */
  message: RelayMessage;
  /** What another member sent, as it came. */
  text: string;
  /** The node did not take something. */
  error: ClientError;
  /** The room was left, by whomever. Comes once, and last. */
  close: { readonly code: number; readonly reason: string };
}

/** A room in which every message goes to all others. */
export interface BroadcastRoom extends Disposable {
  send(message: RelayMessage): void;
  on<Name extends keyof BroadcastRoomEvents>(
    name: Name,
    listener: (event: BroadcastRoomEvents[Name]) => void,
  ): () => void;
  /** Tells the others and goes. */
  leave(): void;
}

export interface BroadcastRoomInit extends RoomOptions {
  /** Default: the room of those who name none. */
  readonly room?: string;
  readonly password?: string;
  readonly roomToken?: string;
  /** Hears what waits in the room, from the first frame on. */
  readonly onMessage?: (message: RelayMessage, text: string) => void;
}

/** Enters a broadcast room, `/ws/signal/`. An offer that waits there comes first: take `onMessage` to miss nothing. */
export async function joinBroadcastRoom(
  node: NodeAddress,
  init: BroadcastRoomInit = {},
): Promise<BroadcastRoom> {
  const events = createEmitter<BroadcastRoomEvents>();
  const socket = await openRoomSocket(
    node,
    "/ws/signal/",
    { room: init.room, password: init.password, room_token: init.roomToken },
    {
      ...(init.signal === undefined ? {} : { signal: init.signal }),
      onText(text) {
        const message = parseObject(text);
        const failure =
          message?.["error"] ?? (message?.["type"] === "error" ? message["message"] : undefined);
        if (typeof failure === "string")
          return events.emit("error", new ClientError("INVALID_REQUEST", failure));
        if (message === undefined || !isRelay(message)) return undefined;
        init.onMessage?.(message, text);
        events.emit("text", text);
        return events.emit("message", message);
      },
      onClose(code, reason) {
        events.emit("close", { code, reason });
        events.clear();
      },
    },
  );
  const leave = (): void => {
    if (!socket.open) return;
    socket.send('{"type":"leave"}');
    socket.close();
  };
  return {
    send: message => socket.send(JSON.stringify(message)),
    on: (name, listener) => events.on(name, listener),
    leave,
    [Symbol.dispose]: leave,
  };
}

function isRelay(message: Readonly<Record<string, unknown>>): message is RelayMessage {
  const { type } = message;
  return type === "offer" || type === "answer" || type === "candidate" || type === "leave";
}
