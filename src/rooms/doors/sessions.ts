import { randomUUID } from "node:crypto";
import {
  peerInfoSchema,
  type SessionMessage,
  sessionMessageSchema,
  sessionOptionsSchema,
} from "@cidcast/protocols/rooms";
import { CidcastError, isCidcastError } from "../../core/index.ts";
import type { SocketHandler } from "../../notify/index.ts";
import { type DoorClient, type DoorLink, type OpenDoor, parseFrame, spaceOf } from "../core/door.ts";
import { MAX_SESSIONS_PER_CONNECTION } from "../limits.ts";
import type { Membership, Rooms } from "../types.ts";
import { addItem, describe, type Session, type SessionStore } from "./session-store.ts";

const DOOR = "session";

type Fields = Readonly<Record<string, unknown>>;

/** What a connection is in one session. */
interface Place {
  readonly session: Session;
  readonly member: Membership;
}

/** `/signaling`: sessions of several peers, who exchange descriptions and candidates through the node. */
export function sessionsDoor(open: OpenDoor, rooms: Rooms, store: SessionStore): SocketHandler {
  return open("sessions", link => sessionsClient(link, rooms, store));
}

/** The session or its fields are not there: said in the protocol's words. */
class Refusal extends Error {}

function sessionsClient(link: DoorLink, rooms: Rooms, store: SessionStore): DoorClient {
  const { tenantId } = link.socket.principal;
  const places = new Map<string, Place>();
  const reply = (type: string, result: Fields): void => link.json({ type, ...result, result });

  const need = (message: SessionMessage, ...names: (keyof SessionMessage)[]): void => {
    if (names.some(name => message[name] === undefined || message[name] === null || message[name] === "")) {
      throw new Refusal(`Missing required parameters for ${message.type}`);
    }
  };
  const sessionOf = (message: SessionMessage): Session => {
    need(message, "session_id");
    const session = store.get(message.session_id ?? "", tenantId);
    if (session === undefined) throw new Refusal("Session not found");
    return session;
  };
  const placeIn = (message: SessionMessage): Place => {
    const session = sessionOf(message);
    const place = places.get(session.id);
    if (place === undefined || !place.member.isOpen) throw new Refusal("Not a member of this session");
    return place;
  };
  const leave = (place: Place): void => {
    places.delete(place.session.id);
    store.removePeer(place.session, place.member.name);
    place.member.leave();
  };
  const push = (place: Place, to: string, fields: Fields): void => {
    const text = JSON.stringify({
      session_id: place.session.id,
      source_peer_id: place.member.name,
      ...fields,
    });
    if (!place.member.sendTo(to, text)) throw new Refusal(`Peer not found: ${to}`);
  };
  const tellAll = (place: Place, fields: Fields): void =>
    place.member.broadcast(JSON.stringify({ session_id: place.session.id, ...fields }));
  /** The other end of a peer connection of the caller. */
  const otherEnd = (place: Place, pcId: string): string => {
    const ends = place.session.connections.get(pcId);
    const mine = place.member.name;
    if (ends === undefined || (ends.source !== mine && ends.target !== mine)) {
      throw new Refusal(`Unknown peer connection: ${pcId}`);
    }
    return ends.source === mine ? ends.target : ends.source;
  };

  const join = (message: SessionMessage): void => {
    const session = sessionOf(message);
    if (places.size >= MAX_SESSIONS_PER_CONNECTION) throw new Refusal("Too many sessions on one connection");
    if (places.has(session.id)) throw new Refusal("Already a member of this session");
    const { peer_id = randomUUID(), ...info } = peerInfoSchema.parse(message.peer_info ?? {});
    if (session.options.password !== undefined && session.options.password !== message.password) {
      throw new Refusal("The password of the session is wrong");
    }
    const member = rooms.join({
      space: spaceOf(DOOR, link),
      room: session.id,
      name: peer_id,
      link,
      farewell: { type: "peer_left", session_id: session.id, peer_id },
      unique: "refuse",
      maxMembers: session.options.max_peers,
    });
    session.peers.set(peer_id, { ...info, peer_id });
    session.emptySinceMs = undefined;
    const place = { session, member };
    places.set(session.id, place);
    reply("session_joined", { success: true, peer_id, ...describe(session) });
    tellAll(place, { type: "peer_joined", peer_id, peer: { ...info, peer_id } });
  };
  const connect = (message: SessionMessage): void => {
    const place = placeIn(message);
    need(message, "source_peer_id", "target_peer_id");
    const { source_peer_id: source = "", target_peer_id: target = "" } = message;
    if (source !== place.member.name && target !== place.member.name) {
      throw new Refusal("A peer connection begins or ends at the peer that asks for it");
    }
    const pcId = randomUUID();
    addItem(place.session.connections, pcId, { source, target });
    const result = {
      session_id: place.session.id,
      pc_id: pcId,
      source_peer_id: source,
      target_peer_id: target,
    };
    push(place, otherEnd(place, pcId), { type: "peer_connection_created", ...result });
    reply("peer_connection_created", { success: true, ...result });
  };
  const describeTo = (message: SessionMessage): void => {
    const place = placeIn(message);
    need(message, "pc_id", "sdp");
    const { pc_id = "", sdp, sdp_type = message.type } = message;
    push(place, otherEnd(place, pc_id), { type: message.type, pc_id, sdp, sdp_type });
    reply(`${message.type}_handled`, { success: true, session_id: place.session.id, pc_id });
  };
  const candidate = (message: SessionMessage): void => {
    const place = placeIn(message);
    need(message, "pc_id", "candidate");
    const { pc_id = "", sdp_mid, sdp_mline_index } = message;
    const fields = { type: "candidate", pc_id, candidate: message.candidate, sdp_mid, sdp_mline_index };
    push(place, otherEnd(place, pc_id), fields);
  };
  const addTrack = (message: SessionMessage): void => {
    const place = placeIn(message);
    need(message, "track_info");
    const { track_id = randomUUID(), ...info } = message.track_info ?? {};
    if ((place.session.tracks.get(track_id)?.owner ?? place.member.name) !== place.member.name) {
      throw new Refusal(`The track ${track_id} belongs to somebody else`);
    }
    addItem(place.session.tracks, track_id, { owner: place.member.name, info });
    reply("track_added", { success: true, session_id: place.session.id, track_id });
    tellAll(place, {
      type: "track_added",
      track_id,
      peer_id: place.member.name,
      track_info: { ...info, track_id },
    });
  };
  const track = (message: SessionMessage): void => {
    const place = placeIn(message);
    need(message, "track_id");
    const { track_id = "", type } = message;
    const owner = place.session.tracks.get(track_id)?.owner;
    if (owner === undefined) throw new Refusal(`Unknown track: ${track_id}`);
    const result = { success: true, session_id: place.session.id, track_id };
    if (type === "remove_track") {
      if (owner !== place.member.name) throw new Refusal(`The track ${track_id} belongs to somebody else`);
      place.session.tracks.delete(track_id);
      reply("track_removed", result);
      return tellAll(place, { type: "track_removed", track_id, peer_id: owner });
    }
    const done = type === "subscribe_to_track" ? "track_subscription" : "track_unsubscription";
    push(place, owner, { type: done, track_id, peer_id: place.member.name });
    return reply(done, result);
  };

  const handlers: Readonly<Record<string, (message: SessionMessage) => void>> = {
    create_session(message) {
      const session = store.create(sessionOptionsSchema.parse(message.session_options ?? {}), tenantId);
      reply("session_created", { success: true, ...describe(session) });
    },
    join_session: join,
    leave_session(message) {
      const place = placeIn(message);
      leave(place);
      reply("session_left", { success: true, session_id: place.session.id, peer_id: place.member.name });
    },
    get_sessions(message) {
      // What is not public is told to its members alone.
      const listed = store
        .list(false, tenantId)
        .filter(
          session => session.options.public || (message.public_only !== true && places.has(session.id)),
        );
      reply("sessions_list", { sessions: listed.map(describe), count: listed.length });
    },
    get_session_info(message) {
      const session = sessionOf(message);
      if (!session.options.public && !places.has(session.id)) throw new Refusal("Session not found");
      reply("session_info", describe(session));
    },
    create_peer_connection: connect,
    offer: describeTo,
    answer: describeTo,
    candidate,
    add_track: addTrack,
    remove_track: track,
    subscribe_to_track: track,
    unsubscribe_from_track: track,
    ping: () => reply("pong", { timestamp: Date.parse(link.timestamp()) / 1000 }),
  };
  const error = (message: string): void => link.json({ type: "error", message });

  return {
    receive(text) {
      for (const { member } of places.values()) member.touch();
      const frame = parseFrame(text);
      if (frame === undefined) return error("Invalid JSON message");
      const parsed = sessionMessageSchema.safeParse(frame);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        return error(`Invalid message: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
      }
      const message = parsed.data;
      const handler = Object.hasOwn(handlers, message.type) ? handlers[message.type] : undefined;
      if (handler === undefined) return error(`Unknown message type: ${message.type}`);
      try {
        return handler(message);
      } catch (cause) {
        return error(refusalOf(cause));
      }
    },
    refused: error,
    gone() {
      for (const place of places.values()) leave(place);
    },
  };
}

/** What a client is told; anything unexpected is thrown on. */
function refusalOf(cause: unknown): string {
  if (cause instanceof Refusal || isCidcastError(cause)) return cause.message;
  if (cause instanceof Error && cause.name === "ZodError") {
    return new CidcastError("INVALID_REQUEST", `A field does not fit: ${cause.message.slice(0, 300)}`)
      .message;
  }
  throw cause;
}
