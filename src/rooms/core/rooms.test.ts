import { describe, expect, test } from "vitest";
import { noMetrics, VirtualClock } from "../../core/index.ts";
import {
  MAX_BUFFERED_BYTES,
  MAX_NAME_CHARS,
  MAX_PASSWORD_CHARS,
  MEMBER_IDLE_MS,
  SWEEP_MS,
} from "../limits.ts";
import type { JoinInit, Link, RoomMessage, Rooms, RoomsBackplane } from "../types.ts";
import { createRooms, createTokenSigner, type RoomsInit } from "./index.ts";

interface TestLink extends Link {
  readonly heard: string[];
  ended: string | undefined;
  buffered: number;
}

function testLink(): TestLink {
  const link: TestLink = {
    heard: [],
    ended: undefined,
    buffered: 0,
    send: text => link.heard.push(text) > 0,
    bufferedBytes: () => link.buffered,
    end: (_, reason) => (link.ended = reason),
  };
  return link;
}

/** Two ends of a wire between nodes that can be cut. */
function wire(names: readonly string[]): {
  readonly planes: RoomsBackplane[];
  cut(name: string): void;
  come(): void;
} {
  const message = new Map<string, (node: string, message: RoomMessage) => void>();
  const gone = new Map<string, (node: string) => void>();
  const came = new Map<string, () => void>();
  const others = (name: string): string[] => names.filter(other => other !== name);
  return {
    planes: names.map(name => ({
      publish: sent => others(name).forEach(other => message.get(other)?.(name, structuredClone(sent))),
      onMessage: listener => (message.set(name, listener), () => message.delete(name)),
      onNodeGone: listener => (gone.set(name, listener), () => gone.delete(name)),
      onNodeCame: listener => (came.set(name, listener), () => came.delete(name)),
    })),
    cut: name => others(name).forEach(other => gone.get(other)?.(name)),
    come: () => came.forEach(listener => listener()),
  };
}

describe("rooms", () => {
  const clock = new VirtualClock(1000);
  const open = (init: RoomsInit = {}, backplane?: RoomsBackplane): Rooms =>
    createRooms(init)({ clock, metrics: noMetrics, backplane });
  const joining = (rooms: Rooms, name: string, init: Partial<JoinInit> = {}) => {
    const link = testLink();
    const member = rooms.join({
      space: "s",
      room: "r",
      name,
      link,
      farewell: { type: "gone", name },
      ...init,
    });
    return { link, member };
  };
  const code = (expected: string) => expect.objectContaining({ code: expected });

  test("rooms, members, names and passwords have their limits", () => {
    const rooms = open({ maxRooms: 1, maxMembers: 2 });
    const first = joining(rooms, "a");
    joining(rooms, "b");
    expect(() => joining(rooms, "c")).toThrow(code("LIMIT_REACHED"));
    expect(() => joining(rooms, "a", { room: "other" })).toThrow(code("LIMIT_REACHED"));
    expect(() => joining(rooms, "x".repeat(MAX_NAME_CHARS + 1))).toThrow(code("INVALID_REQUEST"));
    expect(() => joining(rooms, "")).toThrow(code("INVALID_REQUEST"));
    expect(() => joining(rooms, "a", { password: "x".repeat(MAX_PASSWORD_CHARS + 1) })).toThrow(
      code("INVALID_REQUEST"),
    );
    first.member.leave();
    joining(rooms, "c");
  });

  test("a member that says nothing for too long is taken out, and the others are told", () => {
    const rooms = open();
    const idle = joining(rooms, "idle");
    const busy = joining(rooms, "busy");
    clock.advance(MEMBER_IDLE_MS - SWEEP_MS);
    busy.member.touch();
    clock.advance(SWEEP_MS * 3);
    expect(idle.link.ended).toMatch("too long");
    expect(busy.link.heard).toEqual(['{"type":"gone","name":"idle"}']);
    expect(busy.member.members()).toHaveLength(1);
    rooms.close();
  });

  test("a member that does not read is put out instead of queued for", () => {
    const rooms = open();
    const slow = joining(rooms, "slow");
    const other = joining(rooms, "other");
    slow.link.buffered = MAX_BUFFERED_BYTES + 1;
    other.member.broadcast("x");
    expect(slow.link.ended).toMatch("does not read");
    expect(slow.link.heard).toEqual([]);
  });

  test("members of several nodes see, hear and miss each other", () => {
    const { planes, cut, come } = wire(["one", "two"]);
    const [one, two] = [open({}, planes[0]), open({}, planes[1])];
    const a = joining(one, "a", { password: "p" });
    a.member.hold(["held"]);
    expect(() => joining(two, "b", { password: "wrong" })).toThrow(code("FORBIDDEN"));
    clock.advance(1);
    const b = joining(two, "b", { password: "p" });
    expect(b.link.heard).toEqual(["held"]);
    expect(two.presence("s", "r")).toMatchObject([
      { name: "a", node: "one" },
      { name: "b", node: undefined },
    ]);
    a.member.broadcast("to all");
    expect(b.member.sendTo("a", "to a")).toBe(true);
    expect(b.member.sendTo("nobody", "x")).toBe(false);
    expect([a.link.heard, b.link.heard]).toEqual([["to a"], ["held", "to all"]]);
    b.member.releaseOthers();
    expect(joining(two, "c", { password: "p" }).link.heard).toEqual([]);
    expect(() => joining(one, "b", { password: "p", unique: "takeOver" })).toThrow(code("CONFLICT"));
    cut("two");
    expect(a.link.heard.slice(1)).toEqual(['{"type":"gone","name":"b"}', '{"type":"gone","name":"c"}']);
    expect(one.presence("s", "r")).toHaveLength(1);
    come();
    expect(one.presence("s", "r")).toHaveLength(3);
    b.member.leave();
    expect(a.link.heard.at(-1)).toBe('{"type":"gone","name":"b"}');
  });

  test("tokens say what they say until they expire, and under their secret alone", () => {
    const signer = createTokenSigner("secret", clock);
    const token = signer.sign(["room", "a"], 60);
    expect(signer.verify(token, ["room", "a"])).toBe(true);
    expect(signer.verify(token, ["room", "b"])).toBe(false);
    expect(signer.verify(token, ["rooma"])).toBe(false);
    expect(createTokenSigner("other", clock).verify(token, ["room", "a"])).toBe(false);
    expect(signer.verify(`9${token}`, ["room", "a"])).toBe(false);
    expect(signer.verify("nonsense", [])).toBe(false);
    clock.advance(60_000);
    expect(signer.verify(token, ["room", "a"])).toBe(false);
  });
});
