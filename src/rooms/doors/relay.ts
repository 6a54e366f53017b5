import { isCidcastError } from "../../core/index.ts";
import type { SocketHandler } from "../../notify/index.ts";
import { type DoorClient, type DoorLink, type OpenDoor, parseFrame, spaceOf } from "../core/door.ts";
import { MAX_HELD_CANDIDATES, MAX_HELD_CHARS } from "../limits.ts";
import type { Membership, Rooms } from "../types.ts";

const TYPES = new Set(["offer", "answer", "candidate", "leave"]);
const DEFAULT_ROOM = "default";
const LEAVE = { type: "leave" };
/** RFC 6455, 7.4.1: a policy was violated. */
const REFUSED = 1008;

/**
 * `/ws/signal/?room=`: offer, answer, candidate and leave go, byte for byte, to all others of the room. An offer that nobody
 * has answered waits, with its candidates, for whoever joins next.
 */
export function relayDoor(open: OpenDoor, rooms: Rooms): SocketHandler {
  return open("relay", link => {
    const query = link.socket.query ?? new URLSearchParams();
    try {
      const member = rooms.join({
        space: spaceOf("signal", link),
        room: query.get("room") || DEFAULT_ROOM,
        name: link.socket.principal.id,
        link,
        farewell: LEAVE,
        password: query.get("password") ?? undefined,
        token: query.get("room_token") ?? undefined,
      });
      return relayClient(link, member);
    } catch (error) {
      if (!isCidcastError(error)) throw error;
      const full = error.code === "LIMIT_REACHED" && error.details?.["maxMembers"] !== undefined;
      const message = full ? "Room is full" : error.message;
      link.json({ type: "error", message });
      link.socket.close(REFUSED, message.slice(0, 100));
      return undefined;
    }
  });
}

function relayClient(link: DoorLink, member: Membership): DoorClient {
  let held: string[] = [];
  const error = (message: string): void => link.json({ error: message });
  const holdBack = (text: string): void => {
    const chars = held.reduce((sum, one) => sum + one.length, text.length);
    if (held.length > MAX_HELD_CANDIDATES || chars > MAX_HELD_CHARS) return;
    held = [...held, text];
    member.hold(held);
  };
  return {
    receive(text) {
      member.touch();
      const frame = parseFrame(text);
      if (frame === undefined) return error(pythonJsonError(text));
      const { type } = frame;
      if (typeof type !== "string" || !TYPES.has(type)) return error("Unsupported message type");
      if (type === "offer") {
        held = [];
        member.setFarewell(LEAVE);
        holdBack(text);
      } else if (type === "candidate" && held.length > 0 && member.isOpen) holdBack(text);
      else if (type === "answer") member.releaseOthers();
      else if (type === "leave") {
        held = [];
        member.hold(held);
        member.setFarewell(undefined);
      }
      member.broadcast(text);
    },
    refused: error,
    gone: () => member.leave(),
  };
}

/** What Python's json module says, which clients of this protocol have in their tests, for text that cannot begin a value. */
export function pythonJsonError(text: string): string {
  const at = text.search(/\S/);
  const place = at < 0 ? text.length : at;
  const before = text.slice(0, place).split("\n");
  const line = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  const first = text.charAt(place);
  if (first === "{" || first === "[" || first === '"')
    return `Invalid JSON: ${text.length} characters that are no whole value`;
  return `Expecting value: line ${line} column ${column} (char ${place})`;
}
