import {
  MAX_MESSAGES_PER_SECOND,
  MAX_NAMED_TRACKS,
  MAX_SIGNALLING_MESSAGE_BYTES,
} from "@cidcast/protocols/signalling";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CidcastError,
  EventBus,
  noMetrics,
  ownerPrincipal,
  type Principal,
  scopeAuthoriser,
  silentLogger,
  VirtualClock,
} from "../../core/index.ts";
import { createWebRTCStreamingManager, type RunningWebRTC } from "../manager/index.ts";
import { type FakeMedia, fakeMedia } from "../testing/fake-media.ts";
import { twoEnds, watched } from "../testing/pairs.ts";
import type { Greeting, SignallingConnection, WebRTCEvents } from "../types.ts";
import { createSignallingHandler } from "./handler.ts";

let manager: RunningWebRTC;
let media: FakeMedia;
const events = new EventBus<WebRTCEvents>(silentLogger);
const log: { type: string; data: unknown }[] = [];
events.onAny(({ type, data }) => log.push({ type, data }));

beforeAll(async () => {
  media = fakeMedia();
  manager = await createWebRTCStreamingManager({
    host: "127.0.0.1",
    udpPort: 0,
    workers: 0,
    warmUp: false,
    maxSessionsPerOwner: 3,
  })({ media, events, log: silentLogger, metrics: noMetrics });
});
afterAll(() => manager.stop());

type Message = Readonly<Record<string, unknown>>;

interface Client {
  readonly connection: SignallingConnection;
  readonly got: Message[];
  ask(message: unknown): Promise<Message | undefined>;
}

function client(greeting: Greeting = "silent", principal: Principal = ownerPrincipal): Client {
  const got: Message[] = [];
  const handler = createSignallingHandler()({
    manager,
    authoriser: scopeAuthoriser,
    log: silentLogger,
    clock: new VirtualClock(),
  });
  const send = (text: string): boolean => got.push(JSON.parse(text) as Message) > 0;
  const connection = handler.connect({ greeting, principal, send });
  return {
    connection,
    got,
    async ask(message) {
      await connection.receive(typeof message === "string" ? message : JSON.stringify(message));
      return got.at(-1);
    },
  };
}

async function offered(from: Client): Promise<string> {
  const offer = await from.ask({ type: "offer_request", cid: "film" });
  return String(offer?.["pc_id"]);
}

describe("greeting", () => {
  it("is a welcome, or nothing", () => {
    expect(client("welcome").got).toMatchObject([{ type: "welcome", capabilities: ["video", "audio"] }]);
    expect(client("silent").got).toEqual([]);
  });
});

describe("a restart of ICE", () => {
  it("gives a session new credentials once it is connected, and is refused before", async () => {
    await using ends = await twoEnds();
    const viewer = client();
    const peer = watched(ends.factories[0]);
    const offer = await viewer.ask({ type: "offer_request", cid: "film" });
    const pc_id = String(offer?.["pc_id"]);
    expect(await viewer.ask({ type: "restart_ice", pc_id })).toMatchObject({
      type: "error",
      code: "CONFLICT",
      pc_id,
    });
    expect(await viewer.ask({ type: "restart_ice", pc_id: "pc_x" })).toMatchObject({
      code: "SESSION_NOT_FOUND",
    });
    const sdp = String(offer?.["sdp"]);
    await viewer.ask({ type: "answer", pc_id, sdp: await peer.peer.createAnswer(sdp) });
    await peer.transport;
    const state = async () => (await manager.session(pc_id)?.stats())?.["state"];
    await expect.poll(state).toBe("connected");
    const again = await viewer.ask({ type: "restart_ice", pc_id });
    expect(again).toMatchObject({ type: "restart_offer", pc_id, sdpType: "offer" });
    const ufrag = (text: unknown) => /a=ice-ufrag:(\S+)/.exec(String(text))?.[1];
    const password = (text: unknown) => /a=ice-pwd:(\S+)/.exec(String(text))?.[1] ?? "";
    expect(ufrag(again?.["sdp"])).not.toBe(ufrag(sdp));
    const renewed = await peer.peer.restartIce({
      ufrag: ufrag(again?.["sdp"]) ?? "",
      password: password(again?.["sdp"]),
    });
    const answer = String(again?.["sdp"])
      .replaceAll(/(a=ice-ufrag:)\S+/g, `$1${renewed.ufrag}`)
      .replaceAll(/(a=ice-pwd:)\S+/g, `$1${renewed.password}`)
      .replaceAll(/a=candidate:.*/g, renewed.candidates[0] ?? "");
    const [candidate = ""] = /candidate:.*$/m.exec(String(again?.["sdp"])) ?? [];
    await peer.peer.addCandidate({ candidate, sdpMLineIndex: 0 });
    const renewedConnection = events.next("webrtc_connected");
    expect(await viewer.ask({ type: "answer", pc_id, sdp: answer })).toEqual({ type: "connected", pc_id });
    expect(await viewer.ask({ type: "answer", pc_id, sdp: answer })).toMatchObject({ code: "CONFLICT" });
    expect(log.filter(({ type }) => type.includes("reconnection"))).toEqual([
      {
        type: "webrtc_reconnection_attempt",
        data: { pc_id, cid: "film", attempt: 1, how: "ice_restart" },
      },
    ]);
    expect(await renewedConnection).toEqual({ pc_id, cid: "film", restarted: true });
    await viewer.connection.close("done");
    await peer.peer.close();
  });
});

describe("candidates of a viewer", () => {
  it.each([
    ["before its answer", ["candidate", "end", "answer"]],
    ["after it", ["answer", "candidate", "end"]],
    ["with the end of them first", ["answer", "end", "candidate"]],
    ["among some that lead nowhere, more than once", ["junk", "candidate", "answer", "candidate", "junk"]],
  ])("are taken %s, and lead to a connection", async (_when, order) => {
    await using ends = await twoEnds();
    const viewer = client();
    const peer = watched(ends.factories[0]);
    const offer = await viewer.ask({ type: "offer_request", cid: "film" });
    const pc_id = String(offer?.["pc_id"]);
    const bare = (text: unknown) => String(text).replaceAll(/a=(?:candidate:.*|end-of-candidates)\r\n/g, "");
    // It knows none of our candidates, and so sends no checks: only its own can lead to a connection.
    const answer = await peer.peer.createAnswer(bare(offer?.["sdp"]));
    const sdp = bare(answer);
    expect(sdp).not.toMatch(/candidate/);
    const [candidate = ""] = /candidate:.*$/m.exec(answer) ?? [];
    const connected = events.next("webrtc_connected");
    for (const what of order) {
      const text = { candidate, end: "", junk: "candidate:x 1 udp 1 nowhere 9 typ host" }[what];
      await viewer.ask(
        what === "answer"
          ? { type: "answer", pc_id, sdp }
          : { type: "candidate", pc_id, candidate: text, sdpMid: "0", sdpMLineIndex: 0 },
      );
    }
    // Candidates get no answer.
    expect(viewer.got.map(({ type }) => type)).toEqual(["offer", "connected"]);
    expect(await connected).toMatchObject({ pc_id });
    const stats = await manager.session(pc_id)?.stats();
    expect(stats).toMatchObject({
      ice_candidates_added: order.filter(what => what !== "answer").length,
    });
    await viewer.connection.close("done");
    await peer.peer.close();
  });

  it("for a session that is another's, or gone, are passed over", async () => {
    const viewer = client();
    const pc_id = await offered(viewer);
    const other = client();
    for (const id of [pc_id, "pc_x"]) {
      await other.ask({
        type: "candidate",
        pc_id: id,
        candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host",
      });
    }
    expect(other.got).toEqual([]);
    expect((await manager.session(pc_id)?.stats())?.["ice_candidates_added"]).toBe(0);
    await viewer.connection.close("done");
  });
});

describe("a viewer that comes again", () => {
  const replacing = (pc_id: string, cid = "film") => ({
    type: "offer_request",
    cid,
    startSeconds: 2.5,
    replaces: { pc_id, attempt: 3 },
  });

  it("is told as an attempt, and as there again, with the place where it goes on", async () => {
    await using ends = await twoEnds();
    const peer = watched(ends.factories[0]);
    const lost = client();
    const lostId = await offered(lost);
    await lost.connection.close("its network is gone");
    log.length = 0;
    const viewer = client();
    const offer = await viewer.ask(replacing(lostId));
    const again = events.next("webrtc_connected");
    const pc_id = String(offer?.["pc_id"]);
    await viewer.ask({ type: "answer", pc_id, sdp: await peer.peer.createAnswer(String(offer?.["sdp"])) });
    expect(await again).toEqual({ pc_id, cid: "film", replaces: lostId });
    expect(log[0]).toEqual({
      type: "webrtc_reconnection_attempt",
      data: { pc_id: lostId, cid: "film", attempt: 3, how: "new_session", position_seconds: 2.5 },
    });
    await viewer.connection.close("done");
    expect(log.map(({ type }) => type)).not.toContain("webrtc_reconnection_failed");
    await peer.peer.close();
  });

  it("and gets no connection is told with the reason, whether it got an offer or not", async () => {
    const lost = client();
    const lostId = await offered(lost);
    const viewer = client();
    const failed = { pc_id: lostId, cid: "film", attempt: 3, how: "new_session" };
    const refused = events.next("webrtc_reconnection_failed");
    await viewer.ask(replacing(lostId, "unknown"));
    expect(await refused).toMatchObject({ ...failed, code: "CONTENT_NOT_FOUND" });
    const left = events.next("webrtc_reconnection_failed");
    await viewer.ask(replacing(lostId));
    await viewer.connection.close("the viewer left");
    expect(await left).toEqual({ ...failed, code: "PEER_UNREACHABLE", message: "the viewer left" });
    await lost.connection.close("done");
  });

  it("and names a session of another tenant, or none, gets one that replaces nothing", async () => {
    const tenant = (tenantId: string): Principal => ({ ...ownerPrincipal, tenantId });
    const lost = client("silent", tenant("a"));
    const lostId = await offered(lost);
    await lost.connection.close("gone");
    log.length = 0;
    const viewer = client("silent", tenant("b"));
    expect(await viewer.ask(replacing(lostId))).toMatchObject({ type: "offer" });
    expect(await viewer.ask(replacing("pc_x"))).toMatchObject({ type: "offer" });
    await viewer.connection.close("done");
    expect(log.filter(({ type }) => type.includes("reconnection"))).toEqual([]);
  });
});

describe("an offer", () => {
  it("carries every default track, and only one kind when that is asked for", async () => {
    const viewer = client();
    const both = await viewer.ask({ type: "offer_request", cid: "film" });
    expect(both).toMatchObject({ type: "offer", sdpType: "offer", pc_id: expect.stringMatching(/^pc_/) });
    expect(Object.keys(both!)).toEqual(["type", "pc_id", "sdp", "sdpType"]);
    expect(both?.["sdp"]).toMatch(/m=video[\s\S]*m=audio/);
    const sound = await viewer.ask({ type: "offer_request", cid: "film", kind: "audio" });
    expect(sound?.["sdp"]).not.toMatch(/m=video/);
    await viewer.connection.close("done");
    expect(media.openSources()).toBe(0);
  });

  it("is refused with a code when there is nothing, or no place", async () => {
    const viewer = client();
    expect(await viewer.ask({ type: "offer_request", cid: "unknown" })).toMatchObject({
      code: "CONTENT_NOT_FOUND",
    });
    expect(await viewer.ask({ type: "offer_request" })).toEqual({
      type: "error",
      message: "Missing cid parameter",
      code: "INVALID_REQUEST",
    });
    for (let i = 0; i < 3; i++) await offered(viewer);
    expect(await viewer.ask({ type: "offer_request", cid: "film" })).toMatchObject({ code: "LIMIT_REACHED" });
    await viewer.connection.close("done");
    expect(manager.sessions()).toEqual([]);
  });

  it("needs the right to play", async () => {
    const stranger: Principal = { kind: "anonymous", id: "x", door: "ws", scopes: new Set() };
    const refused = await client("silent", stranger).ask({ type: "offer_request", cid: "film" });
    expect(refused).toMatchObject({ type: "error", code: "UNAUTHENTICATED" });
  });

  it("can be for content named before, as the second generation does", async () => {
    const viewer = client();
    const named = await viewer.ask({ type: "add_ipfs_track", cid: "film", track_id: "mine" });
    expect(named).toEqual({ type: "add_track_result", success: true, track_id: "mine", cid: "film" });
    expect(await viewer.ask({ type: "offer_request", track_ids: ["mine"] })).toMatchObject({ type: "offer" });
    for (let i = 0; i < MAX_NAMED_TRACKS; i++) await viewer.ask({ type: "add_ipfs_track", cid: `c${i}` });
    expect(viewer.got.at(-1)).toMatchObject({ success: false, code: "LIMIT_REACHED" });
    await viewer.connection.close("done");
  });
});

describe("an answer", () => {
  it("to another's session is answered like one to none", async () => {
    const [owner, other] = [client(), client()];
    const id = await offered(owner);
    const answer = (pc_id: string) => other.ask({ type: "answer", pc_id, sdp: "v=0", sdpType: "answer" });
    const [foreign, unknown] = [await answer(id), await answer("pc_none")];
    expect(foreign).toMatchObject({
      code: "SESSION_NOT_FOUND",
      message: `Failed to handle answer for ${id}`,
    });
    expect({ ...unknown, message: "", reason: "", pc_id: "" }).toEqual({
      ...foreign,
      message: "",
      reason: "",
      pc_id: "",
    });
    expect(manager.session(id)).toBeDefined();
    await owner.connection.close("done");
  });

  it("that cannot be used ends its session, with the reason", async () => {
    const viewer = client();
    const id = await offered(viewer);
    const failed = await viewer.ask({ type: "answer", pc_id: id, sdp: "nonsense" });
    expect(viewer.got).toContainEqual({
      type: "error",
      message: `Failed to handle answer for ${id}`,
      code: "INVALID_SDP",
      reason: "the text is not a session description",
      pc_id: id,
    });
    expect(failed).toBeDefined();
    expect(manager.session(id)).toBeUndefined();
    await viewer.connection.close("done");
  });
});

describe("other messages", () => {
  it("are answered as clients expect", async () => {
    const viewer = client();
    const id = await offered(viewer);
    expect(await viewer.ask({ type: "ping" })).toEqual({ type: "pong", timestamp: expect.any(Number) });
    expect(await viewer.ask({ type: "get_stats", pc_id: id, include_global: true })).toMatchObject({
      type: "stats",
      connection_stats: { cid: "film", state: "new", active: false, quality: "auto", duration: 4 },
      global_metrics: { active_connections: 1 },
    });
    expect(await viewer.ask({ type: "get_stats", pc_id: "x" })).toEqual({
      type: "stats",
      connection_stats: { error: "Unknown peer connection ID: x" },
    });
    expect(await viewer.ask({ type: "get_stats" })).toMatchObject({
      connection_stats: { active_connections: 1 },
    });
    expect(await viewer.ask({ type: "stats_request", pc_id: id })).toMatchObject({
      type: "stats",
      pc_id: id,
    });
    expect(await viewer.ask({ type: "set_quality", pc_id: id })).toMatchObject({
      message: "Missing pc_id or quality parameter",
    });
    expect(await viewer.ask({ type: "set_quality", pc_id: id, quality: "high" })).toMatchObject({
      type: "quality_result",
      success: false,
      reason: expect.stringContaining("one quality"),
    });
    expect(await viewer.ask({ type: "quality_change", pc_id: id, quality: "auto" })).toMatchObject({
      success: true,
    });
    expect(await viewer.ask({ type: "add_track", pc_id: id, cid: "film" })).toMatchObject({
      message: `Failed to add track for ${id}`,
      code: "CONFLICT",
    });
    expect(await viewer.ask({ type: "set_track", pc_id: id, track_id: "a0", enabled: false })).toEqual({
      type: "track_result",
      pc_id: id,
      track_id: "a0",
      success: true,
    });
    expect(await viewer.ask({ type: "set_track", pc_id: id, track_id: "a7" })).toMatchObject({
      type: "track_result",
      success: false,
      code: "TRACK_NOT_FOUND",
    });
    expect(await viewer.ask({ type: "remove_track", pc_id: id, track_id: "a0" })).toEqual({
      type: "track_removed",
      pc_id: id,
      track_id: "a0",
    });
    expect(await viewer.ask({ type: "remove_track", pc_id: id, track_id: "a0" })).toMatchObject({
      type: "track_result",
      success: false,
      code: "TRACK_NOT_FOUND",
    });
    expect(
      await viewer.ask({ type: "control", pc_id: id, command: { type: "set_loop", loop: true, id: "1" } }),
    ).toMatchObject({
      type: "control",
      event: { type: "state", state: "connecting", loop: true, id: "1" },
    });
    expect(await viewer.ask({ type: "control", pc_id: id, command: { type: "dance" } })).toMatchObject({
      event: { type: "error", code: "INVALID_REQUEST" },
    });
    expect(await viewer.ask({ type: "close", pc_id: id })).toEqual({ type: "closed", pc_id: id });
    expect(await viewer.ask({ type: "close" })).toEqual({ type: "closed_all" });
    expect(viewer.got.filter(message => message["type"] === "closed")).toHaveLength(1);
  });

  it("tell the client when a session ends without its asking", async () => {
    const viewer = client();
    const id = await offered(viewer);
    await manager.session(id)?.close("the node says so");
    expect(viewer.got.at(-1)).toEqual({ type: "closed", pc_id: id });
    await viewer.connection.close("done");
  });
});

describe("what nobody should send", () => {
  it.each([
    ["no JSON", "{", "Invalid JSON message"],
    ["no object", "[1]", "Invalid JSON message"],
    ["no type", "{}", "Unknown message type: None"],
    ["an unknown type", '{"type":"dance"}', "Unknown message type: dance"],
  ])("%s is answered", async (_name, text, message) => {
    expect(await client().ask(text)).toEqual({ type: "error", message, code: "INVALID_REQUEST" });
  });

  it("too large a message, and too many of them, are refused", async () => {
    const large = client();
    expect(await large.ask("x".repeat(MAX_SIGNALLING_MESSAGE_BYTES + 1))).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
    const many = client();
    for (let i = 0; i < MAX_MESSAGES_PER_SECOND + 20; i++) await many.ask({ type: "ping" });
    expect(many.got.filter(message => message["type"] === "pong")).toHaveLength(MAX_MESSAGES_PER_SECOND);
    expect(many.got.filter(message => message["type"] === "error")).toMatchObject([
      { code: "LIMIT_REACHED" },
    ]);
  });

  it("never breaks the connection", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async text => {
        const viewer = client();
        await viewer.connection.receive(text);
        for (const message of viewer.got) expect(message).toHaveProperty("type");
        await viewer.connection.close("done");
      }),
      { numRuns: 50 },
    );
  });
});

describe("a manager", () => {
  it("says why it cannot start", async () => {
    const components = {
      media,
      events: new EventBus<WebRTCEvents>(silentLogger),
      log: silentLogger,
      metrics: noMetrics,
    };
    const second = createWebRTCStreamingManager({
      host: "127.0.0.1",
      udpPort: manager.addresses[0]!.port,
      workers: 0,
    });
    await expect(second(components)).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
    const wrong = createWebRTCStreamingManager({ host: "127.0.0.1", udpPort: 0, iceServers: ["http://x"] });
    await expect(wrong(components)).rejects.toBeInstanceOf(CidcastError);
  });

  it("ends sessions that are never answered, and lets nobody in over its limit", async () => {
    const clock = new VirtualClock();
    const events = new EventBus<WebRTCEvents>(silentLogger);
    const seen: string[] = [];
    events.onAny(event => seen.push(event.type));
    const films = fakeMedia();
    await using own = await createWebRTCStreamingManager({
      host: "127.0.0.1",
      udpPort: 0,
      workers: 0,
      warmUp: false,
      maxSessions: 1,
    })({ media: films, events, log: silentLogger, metrics: noMetrics, clock });
    const init = { cid: "film", owner: "a", principal: ownerPrincipal };
    await own.createOffer(init);
    await expect(own.createOffer({ ...init, owner: "b" })).rejects.toMatchObject({
      code: "BUSY",
      retryAfterSeconds: 5,
    });
    const closed = events.next("webrtc_connection_closed");
    clock.advance(30_000);
    expect(await closed).toMatchObject({ reason: "the viewer did not answer the offer" });
    expect(own.sessions()).toEqual([]);
    expect(seen).toEqual(["webrtc_connection_created", "webrtc_offer", "webrtc_connection_closed"]);
    await expect.poll(() => films.openSources()).toBe(0);
  });
});
