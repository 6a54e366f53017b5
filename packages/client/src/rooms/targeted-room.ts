import { ClientError } from "../client-error.ts";
import { createEmitter } from "../emitter.ts";
import type { NodeAddress } from "../socket-url.ts";
import { openRoomSocket, parseObject, type RoomOptions, ROOM_TIMEOUT_MS } from "./room-socket.ts";

export interface TargetedRoomEvents {
  offer: { readonly from: string; readonly offer: unknown };
  answer: { readonly from: string; readonly answer: unknown };
  candidate: { readonly from: string; readonly candidate: unknown };
  joined: { readonly peerId: string };
  left: { readonly peerId: string };
  error: ClientError;
  close: { readonly code: number; readonly reason: string };
}

/** A room in which each message goes to one peer. */
export interface TargetedRoom extends Disposable {
  /** Peers that were there when this one came. */
  readonly peers: readonly string[];
  /** Takes the place again after a lost connection. */
  readonly resumeToken: string;
  offer(to: string, offer: unknown): void;
  answer(to: string, answer: unknown): void;
  candidate(to: string, candidate: unknown): void;
  on<Name extends keyof TargetedRoomEvents>(
    name: Name,
    listener: (event: TargetedRoomEvents[Name]) => void,
  ): () => void;
  leave(): void;
}

export interface TargetedRoomInit extends RoomOptions {
  readonly room: string;
  readonly peerId: string;
  readonly password?: string;
  readonly roomToken?: string;
  readonly resumeToken?: string;
}

/** Joins a room of `/ws/signaling/`. Rejects with the node's reason when it may not, `CONFLICT` aside as `INVALID_REQUEST`. */
export async function joinTargetedRoom(node: NodeAddress, init: TargetedRoomInit): Promise<TargetedRoom> {
  const events = createEmitter<TargetedRoomEvents>();
  const joined = Promise.withResolvers<Readonly<Record<string, unknown>>>();
  joined.promise.catch(() => undefined);
  const socket = await openRoomSocket(
    node,
    "/ws/signaling/",
    {},
    {
      ...(init.signal === undefined ? {} : { signal: init.signal }),
      onText(text) {
        const message = parseObject(text);
        if (message === undefined) return;
        if (message["type"] === "joined") joined.resolve(message);
        else if (message["type"] === "error") {
          const error = new ClientError("INVALID_REQUEST", String(message["message"]));
          joined.reject(error);
          events.emit("error", error);
        } else dispatch(events.emit, message);
      },
      onClose(code, reason) {
        joined.reject(new ClientError("NODE_UNREACHABLE", `The room was closed: ${code} ${reason}`));
        events.emit("close", { code, reason });
        events.clear();
      },
    },
  );
  const send = (type: string, payload: Readonly<Record<string, unknown>>): void =>
    socket.send(JSON.stringify({ type, payload, room: init.room }));
  const timer = setTimeout(
    () => joined.reject(new ClientError("TIMEOUT", "The node did not answer the join")),
    ROOM_TIMEOUT_MS,
  );
  try {
    send("join", {
      peer_id: init.peerId,
      password: init.password,
      room_token: init.roomToken,
      resume_token: init.resumeToken,
    });
    const reply = await joined.promise;
    const peers: unknown = reply["peers"];
    const leave = (): void => {
      if (!socket.open) return;
      send("leave", {});
      socket.close();
    };
    return {
      peers: Array.isArray(peers) ? peers.filter(peer => typeof peer === "string") : [],
      resumeToken: String(reply["resume_token"]),
      offer: (to, offer) => send("offer", { target_peer_id: to, offer }),
      answer: (to, answer) => send("answer", { target_peer_id: to, answer }),
      candidate: (to, candidate) => send("ice-candidate", { target_peer_id: to, candidate }),
      on: (name, listener) => events.on(name, listener),
      leave,
      [Symbol.dispose]: leave,
    };
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

type Emit = ReturnType<typeof createEmitter<TargetedRoomEvents>>["emit"];

function dispatch(emit: Emit, message: Readonly<Record<string, unknown>>): void {
  const from = String(message["source_peer_id"]);
  const peerId = String(message["peer_id"]);
  switch (message["type"]) {
    case "offer":
      return emit("offer", { from, offer: message["offer"] });
    case "answer":
      return emit("answer", { from, answer: message["answer"] });
    case "ice-candidate":
      return emit("candidate", { from, candidate: message["candidate"] });
    case "peer-joined":
      return emit("joined", { peerId });
    case "peer-left":
      return emit("left", { peerId });
    default:
      return undefined;
  }
}
