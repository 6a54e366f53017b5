import { isCidcastError } from "../../core/index.ts";
import { signalingSchema, type SignalingMessage } from "@cidcast/protocols/rooms";
import type { SocketHandler } from "../../notify/index.ts";
import { type DoorClient, type DoorLink, type OpenDoor, parseFrame, spaceOf } from "../core/door.ts";
import type { Membership, Rooms } from "../types.ts";

const DOOR = "signaling";
const TYPES = new Set(["join", "leave", "offer", "answer", "ice-candidate", "peers"]);
/** The field that carries what is relayed, and how the protocol calls it in errors. */
const RELAYED = {
  offer: { field: "offer", called: "offer" },
  answer: { field: "answer", called: "answer" },
  "ice-candidate": { field: "candidate", called: "ICE candidate" },
} as const;

/** `/ws/signaling/`: offers, answers and candidates go to one peer of the room. */
export function targetedDoor(open: OpenDoor, rooms: Rooms): SocketHandler {
  return open("targeted", link => targetedClient(link, rooms));
}

function targetedClient(link: DoorLink, rooms: Rooms): DoorClient {
  const space = spaceOf(DOOR, link);
  let member: Membership | undefined;
  const reply = (type: string, fields: Readonly<Record<string, unknown>>): void =>
    link.json({ type, ...fields, timestamp: link.timestamp() });
  const error = (message: string): void => reply("error", { message });

  const leave = (): void => {
    member?.leave();
    member = undefined;
  };
  const join = (message: SignalingMessage): void => {
    const { room, payload } = message;
    if (!room) return error("Room ID is required");
    const { peer_id: peerId } = payload;
    if (!peerId) return error("peer_id is required");
    const token = payload.resume_token;
    const mayTakeOver = token !== undefined && rooms.checkResumeToken(token, space, room, peerId);
    leave();
    const joined = rooms.join({
      space,
      room,
      name: peerId,
      link,
      farewell: { type: "peer-left", peer_id: peerId, timestamp: null },
      password: payload.password,
      token: payload.room_token,
      unique: mayTakeOver ? "takeOver" : "refuse",
    });
    member = joined;
    const peers = joined
      .members()
      .filter(({ id }) => id !== joined.id)
      .map(({ name }) => name);
    reply("joined", { room, peer_id: peerId, peers, resume_token: rooms.resumeToken(space, room, peerId) });
    joined.broadcast(JSON.stringify({ type: "peer-joined", peer_id: peerId, timestamp: link.timestamp() }));
  };
  const relay = (type: keyof typeof RELAYED, message: SignalingMessage): void => {
    if (member === undefined || !member.isOpen) return error("Not connected to any room");
    const { field, called } = RELAYED[type];
    const target = message.payload.target_peer_id;
    if (!target) return error(`target_peer_id is required for ${called}`);
    const text = JSON.stringify({
      type,
      [field]: message.payload[field],
      source_peer_id: member.name,
      timestamp: link.timestamp(),
    });
    if (!member.sendTo(target, text)) error(`Peer not found: ${target}`);
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
      const parsed = signalingSchema.safeParse(frame);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        return error(`Invalid ${type}: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
      }
      const message = parsed.data;
      try {
        switch (message.type) {
          case "join":
            return join(message);
          case "leave": {
            if (member === undefined) return error("Not connected to any room");
            const { room, name } = member;
            leave();
            return reply("left", { room, peer_id: name });
          }
          case "peers":
            if (member === undefined) return error("Not connected to any room");
            return reply("peers", { room: member.room, peers: member.members().map(({ name }) => name) });
          default:
            return relay(message.type, message);
        }
      } catch (cause) {
        if (!isCidcastError(cause)) throw cause;
        return error(cause.message);
      }
    },
    refused: error,
    gone: leave,
  };
}
