import { randomUUID } from "node:crypto";
import { CidcastError, type Clock, type Metrics } from "../../core/index.ts";
import {
  MAX_MEMBERS,
  MAX_NAME_CHARS,
  MAX_PASSWORD_CHARS,
  MAX_ROOMS,
  MEMBER_IDLE_MS,
  RESUME_TOKEN_SECONDS,
  SWEEP_MS,
} from "../limits.ts";
import { roomMetrics } from "../metrics.ts";
import type { JoinInit, Membership, Presence, RoomMessage, Rooms, RoomsBackplane } from "../types.ts";
import { deliver, farewellText, type LocalMember, type Room } from "./room.ts";
import { createTokenSigner, passwordDigest, sameDigest } from "./tokens.ts";

export interface RoomsInit {
  readonly maxMembers?: number;
  readonly maxRooms?: number;
  readonly memberIdleMs?: number;
  /** Signs tokens. Default: one that lasts as long as the process. */
  readonly secret?: string | undefined;
}

export interface RoomsComponents {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly backplane?: RoomsBackplane | undefined;
}

/** Close codes of a member that is put out. */
const TAKEN_OVER = 4001;
const IDLE = 4002;

/** Opens the rooms of a node. */
export function createRooms(init: RoomsInit = {}): (components: RoomsComponents) => Rooms {
  return components => {
    const { clock, backplane } = components;
    const { maxMembers = MAX_MEMBERS, maxRooms = MAX_ROOMS, memberIdleMs = MEMBER_IDLE_MS } = init;
    const metrics = roomMetrics(components.metrics);
    const signer = createTokenSigner(init.secret ?? randomUUID(), clock);
    const rooms = new Map<string, Room>();
    const keyOf = (space: string, name: string): string => `${space}\n${name}`;
    const tell = (message: RoomMessage): void => backplane?.publish(message);

    const roomOf = (space: string, name: string, cap: number): Room => {
      const key = keyOf(space, name);
      const known = rooms.get(key);
      if (known !== undefined) return known;
      if (rooms.size >= maxRooms) {
        metrics.refused.add(1, { reason: "rooms" });
        throw new CidcastError("LIMIT_REACHED", `This node has ${maxRooms} rooms and takes no more`);
      }
      const room: Room = {
        space,
        name,
        createdAtMs: clock.now(),
        maxMembers: cap,
        password: undefined,
        local: new Map(),
        remote: new Map(),
      };
      rooms.set(key, room);
      metrics.rooms.set(rooms.size);
      return room;
    };
    const dropIfEmpty = (room: Room): void => {
      if (room.local.size + room.remote.size > 0) return;
      rooms.delete(keyOf(room.space, room.name));
      metrics.rooms.set(rooms.size);
    };
    const membersOf = (room: Room): Presence[] =>
      [...room.local.values(), ...room.remote.values()]
        .map(({ id, name, joinedAtMs, node }) => ({ id, name, joinedAtMs, node }))
        .sort((a, b) => a.joinedAtMs - b.joinedAtMs);

    const remove = (room: Room, member: LocalMember): void => {
      if (!room.local.delete(member.id)) return;
      const { space, name } = room;
      tell({ kind: "leave", space, room: name, member: member.id });
      if (member.farewell !== undefined)
        deliver(room.local.values(), farewellText(member.farewell, clock.now()));
      dropIfEmpty(room);
    };

    const admit = (room: Room, join: JoinInit): void => {
      if (room.local.size + room.remote.size === 0) {
        if (join.password !== undefined) room.password = passwordDigest(room.space, room.name, join.password);
        return;
      }
      if (room.password !== undefined && !knows(room, room.password, join)) {
        metrics.refused.add(1, { reason: "password" });
        throw new CidcastError("FORBIDDEN", `The password of the room ${room.name} is wrong`);
      }
      const same = [...room.local.values()].filter(({ name }) => name === join.name);
      const far = [...room.remote.values()].filter(({ name }) => name === join.name);
      if (join.unique !== undefined && same.length + far.length > 0) {
        // Who is connected to another node is not put out from here: its own node finds out that it is gone.
        if (join.unique === "refuse" || far.length > 0) {
          throw new CidcastError("CONFLICT", `Somebody in the room ${room.name} is called ${join.name}`);
        }
        for (const member of same) {
          member.farewell = undefined;
          remove(room, member);
          member.link.end(TAKEN_OVER, "this place was taken again by its owner");
        }
      }
      if (room.local.size + room.remote.size >= room.maxMembers) {
        metrics.refused.add(1, { reason: "members" });
        throw new CidcastError("LIMIT_REACHED", `The room ${room.name} is full`, {
          details: { maxMembers: room.maxMembers },
        });
      }
    };
    const knows = (room: Room, digest: string, join: JoinInit): boolean => {
      if (join.token !== undefined && signer.verify(join.token, ["room", room.space, room.name])) return true;
      return (
        join.password !== undefined &&
        sameDigest(digest, passwordDigest(room.space, room.name, join.password))
      );
    };

    const announce = (room: Room, member: LocalMember, again: boolean): void =>
      tell({
        kind: "join",
        space: room.space,
        room: room.name,
        member: member.id,
        name: member.name,
        joinedAtMs: member.joinedAtMs,
        farewell: member.farewell,
        password: room.password,
        again,
      });

    const membership = (room: Room, member: LocalMember): Membership => ({
      id: member.id,
      name: member.name,
      room: room.name,
      members: () => membersOf(room),
      broadcast(text, options = {}) {
        const others = [...room.local.values()].filter(other => options.self === true || other !== member);
        deliver(others, text);
        if (room.remote.size > 0) tell({ kind: "text", space: room.space, room: room.name, text });
      },
      sendTo(name, text) {
        const here = [...room.local.values()].filter(other => other.name === name);
        deliver(here, text);
        const there = [...room.remote.values()].filter(other => other.name === name);
        for (const { id } of there)
          tell({ kind: "text", space: room.space, room: room.name, text, target: id });
        return here.length + there.length > 0;
      },
      hold(texts) {
        member.held = texts;
      },
      releaseOthers() {
        for (const other of room.local.values()) if (other !== member) other.held = [];
        if (room.remote.size > 0)
          tell({ kind: "release", space: room.space, room: room.name, member: member.id });
      },
      setFarewell(farewell) {
        member.farewell = farewell;
        if (backplane !== undefined) announce(room, member, true);
      },
      touch() {
        member.lastSeenMs = clock.monotonicMs();
      },
      leave: () => remove(room, member),
      get isOpen() {
        return room.local.has(member.id);
      },
    });

    const hear = (node: string, message: RoomMessage): void => {
      if (message.kind === "join") {
        if (rooms.size >= maxRooms && !rooms.has(keyOf(message.space, message.room))) return;
        const room = roomOf(message.space, message.room, maxMembers);
        const { member: id, name, joinedAtMs, farewell } = message;
        const isNew = !room.remote.has(id);
        room.remote.set(id, { id, name, joinedAtMs, farewell, node });
        room.password ??= message.password;
        if (!isNew || message.again) return;
        for (const text of [...room.local.values()].flatMap(({ held }) => held)) {
          tell({ kind: "text", space: room.space, room: room.name, text, target: id });
        }
        return;
      }
      if (message.kind === "sync") {
        const here = new Set(message.members);
        leaveNode(node, id => !here.has(id));
        return;
      }
      const room = rooms.get(keyOf(message.space, message.room));
      if (room === undefined) return;
      if (message.kind === "leave") leaveRemote(room, message.member);
      else if (message.kind === "release") {
        for (const member of room.local.values()) member.held = [];
      } else if (message.target === undefined) deliver(room.local.values(), message.text);
      else
        deliver(
          [...room.local.values()].filter(({ id }) => id === message.target),
          message.text,
        );
    };
    const leaveRemote = (room: Room, id: string): void => {
      const member = room.remote.get(id);
      if (member === undefined) return;
      room.remote.delete(id);
      if (member.farewell !== undefined)
        deliver(room.local.values(), farewellText(member.farewell, clock.now()));
      dropIfEmpty(room);
    };

    const leaveNode = (node: string, gone: (id: string) => boolean): void => {
      for (const room of rooms.values()) {
        for (const member of room.remote.values()) {
          if (member.node === node && gone(member.id)) leaveRemote(room, member.id);
        }
      }
    };

    const sweep = (): void => {
      const before = clock.monotonicMs() - memberIdleMs;
      for (const room of rooms.values()) {
        for (const member of room.local.values()) {
          if (member.lastSeenMs > before) continue;
          metrics.expired.add(1, { kind: "member" });
          remove(room, member);
          member.link.end(IDLE, "nothing was heard for too long");
        }
      }
    };
    const ends = [
      clock.every(SWEEP_MS, sweep),
      backplane?.onMessage(hear),
      backplane?.onNodeGone(node => leaveNode(node, () => true)),
      backplane?.onNodeCame(() => {
        const here: string[] = [];
        for (const room of rooms.values()) {
          for (const member of room.local.values()) {
            announce(room, member, true);
            here.push(member.id);
          }
        }
        tell({ kind: "sync", members: here });
      }),
    ];

    return {
      join(join) {
        checkName("room", join.room);
        checkName("name", join.name);
        if ((join.password?.length ?? 0) > MAX_PASSWORD_CHARS) {
          throw new CidcastError(
            "INVALID_REQUEST",
            `A password has at most ${MAX_PASSWORD_CHARS} characters`,
          );
        }
        const room = roomOf(join.space, join.room, join.maxMembers ?? maxMembers);
        try {
          admit(room, join);
        } catch (error) {
          dropIfEmpty(room);
          throw error;
        }
        const member: LocalMember = {
          id: randomUUID(),
          name: join.name,
          joinedAtMs: clock.now(),
          node: undefined,
          link: join.link,
          farewell: join.farewell,
          held: [],
          lastSeenMs: clock.monotonicMs(),
        };
        const held = [...room.local.values()].flatMap(other => other.held);
        // A take-over may have emptied the room and closed it.
        rooms.set(keyOf(room.space, room.name), room);
        room.local.set(member.id, member);
        announce(room, member, false);
        for (const text of held) deliver([member], text);
        return membership(room, member);
      },
      presence(space, name) {
        const room = rooms.get(keyOf(space, name));
        return room === undefined ? [] : membersOf(room);
      },
      list: () =>
        [...rooms.values()].map(room => ({
          space: room.space,
          room: room.name,
          members: room.local.size + room.remote.size,
          protected: room.password !== undefined,
          createdAtMs: room.createdAtMs,
        })),
      roomToken: (space, room, ttlSeconds) => signer.sign(["room", space, room], ttlSeconds),
      resumeToken: (space, room, name) => signer.sign(["resume", space, room, name], RESUME_TOKEN_SECONDS),
      checkResumeToken: (token, space, room, name) => signer.verify(token, ["resume", space, room, name]),
      close() {
        for (const end of ends) end?.();
        rooms.clear();
      },
    };
  };
}

function checkName(what: string, name: string): void {
  if (name.length === 0 || name.length > MAX_NAME_CHARS) {
    throw new CidcastError("INVALID_REQUEST", `The ${what} has 1 to ${MAX_NAME_CHARS} characters`);
  }
}
