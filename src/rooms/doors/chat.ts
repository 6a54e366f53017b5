import { chatSchema, type ChatMessage } from "@cidcast/protocols/rooms";
import { isCidcastError } from "../../core/index.ts";
import type { SocketConnection, SocketHandler, SocketInit } from "../../notify/index.ts";
import { type DoorClient, type DoorLink, type OpenDoor, parseFrame, spaceOf } from "../core/door.ts";
import type { Membership, Rooms } from "../types.ts";

const TYPES = new Set(["connect", "join-room", "leave-room", "message", "disconnect"]);
const NORMAL = 1000;
/** JSON-RPC 2.0, 5.1: a server-defined error. */
const RPC_NOT_SERVED = -32000;

/** JSON-RPC frames of `/ws/mcp/` go here where MCP is served. */
export interface JsonRpcDoor {
  connect(init: SocketInit): SocketConnection;
}

/** `/ws/mcp/`: rooms to talk in. Frames with `jsonrpc` are MCP's. */
export function chatDoor(open: OpenDoor, rooms: Rooms, jsonRpc: JsonRpcDoor | undefined): SocketHandler {
  return open("chat", link => {
    const chat = chatClient(link, rooms);
    let mcp: SocketConnection | undefined;
    return {
      receive(text) {
        const frame = parseFrame(text);
        if (frame === undefined || !isRpc(frame)) return chat.receive(text);
        if (jsonRpc === undefined) return link.json(rpcError(frame));
        mcp ??= jsonRpc.connect(link.socket);
        void mcp.receive(text);
      },
      refused: chat.refused,
      gone() {
        chat.gone();
        void mcp?.close("remote");
      },
    };
  });
}

function isRpc(frame: Readonly<Record<string, unknown>> | readonly unknown[]): boolean {
  if (Array.isArray(frame))
    return frame.some(item => typeof item === "object" && item !== null && "jsonrpc" in item);
  return "jsonrpc" in frame;
}

function rpcError(frame: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { id } = frame;
  return {
    jsonrpc: "2.0",
    id: typeof id === "string" || typeof id === "number" ? id : null,
    error: { code: RPC_NOT_SERVED, message: "MCP is not served at this address of this node" },
  };
}

function chatClient(link: DoorLink, rooms: Rooms): DoorClient {
  let userId: string | undefined;
  let member: Membership | undefined;
  const reply = (type: string, fields: Readonly<Record<string, unknown>>): void =>
    link.json({ type, ...fields, timestamp: link.timestamp() });
  const error = (message: string): void => reply("error", { message });
  const leave = (): void => {
    member?.leave();
    member = undefined;
  };
  const join = (message: ChatMessage): void => {
    if (!message.room) return error("Room ID is required");
    if (userId === undefined) return error("user_id is required for connection");
    leave();
    member = rooms.join({
      space: spaceOf("chat", link),
      room: message.room,
      name: userId,
      link,
      farewell: { type: "user-left", user_id: userId, timestamp: null },
      password: message.payload.password,
      token: message.payload.room_token,
    });
    reply("room-joined", { room: message.room });
    member.broadcast(JSON.stringify({ type: "user-joined", user_id: userId, timestamp: link.timestamp() }), {
      self: true,
    });
  };
  const say = (message: ChatMessage): void => {
    if (member === undefined || !member.isOpen) return error("Not connected to any room");
    const { payload } = message;
    const text = JSON.stringify({
      type: "message",
      user_id: userId,
      message: payload,
      timestamp: link.timestamp(),
    });
    member.broadcast(text, { self: true });
  };
  const handle = (message: ChatMessage): void => {
    switch (message.type) {
      case "connect":
        if (!message.payload.user_id) return error("user_id is required for connection");
        // Whoever is in a room keeps the name it is known by there.
        if (member !== undefined) leave();
        userId = message.payload.user_id;
        return reply("connect", { status: "success" });
      case "join-room":
        return join(message);
      case "leave-room": {
        if (member === undefined) return error("Not connected to any room");
        const { room } = member;
        leave();
        return reply("room-left", { room });
      }
      case "message":
        return say(message);
      case "disconnect":
        return link.end(NORMAL, "disconnected");
    }
  };
  return {
    receive(text) {
      member?.touch();
      const frame = parseFrame(text);
      if (frame === undefined) return error("Invalid JSON format");
      const { type } = frame;
      if (type === undefined || type === null || type === "") return error("Message type is required");
      if (typeof type !== "string" || !TYPES.has(type)) {
        return error(`Unknown message type: ${JSON.stringify(type).slice(0, 100).replaceAll('"', "")}`);
      }
      const parsed = chatSchema.safeParse(frame);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        return error(`Invalid ${type}: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
      }
      try {
        return handle(parsed.data);
      } catch (cause) {
        if (!isCidcastError(cause)) throw cause;
        return error(cause.message);
      }
    },
    refused: error,
    gone: leave,
  };
}
