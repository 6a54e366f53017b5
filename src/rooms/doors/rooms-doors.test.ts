import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serveSockets, type SocketServer, TestClient } from "../../../test/sockets/socket-server.ts";
import { noMetrics, ownerPrincipal, silentLogger, systemClock } from "../../core/index.ts";
import { createRoomsService, type RoomsService } from "../service.ts";

const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };
const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

let service: RoomsService;
let server: SocketServer;
let clients: TestClient[];
beforeEach(async () => {
  service = createRoomsService()(components);
  clients = [];
  server = await serveSockets(Object.fromEntries(service.routes.map(({ path, handler }) => [path, handler])));
});
afterEach(async () => {
  for (const client of clients) client[Symbol.dispose]();
  await service.stop();
  await server[Symbol.asyncDispose]();
});
const connect = async (path: string): Promise<TestClient> => {
  const client = await TestClient.open(`${server.url}${path}`);
  clients.push(client);
  return client;
};
const ask = (client: TestClient, value: unknown): Promise<Record<string, unknown>> => {
  client.send(value);
  return client.next();
};

describe("/ws/signaling/", () => {
  const open = (): Promise<TestClient> => connect("/ws/signaling/");
  const join = async (peer_id: string, payload = {}): Promise<TestClient> => {
    const client = await open();
    expect(
      await ask(client, { type: "join", payload: { peer_id, ...payload }, room: "room123" }),
    ).toMatchObject({
      type: "joined",
      room: "room123",
      peer_id,
      timestamp: ISO,
    });
    return client;
  };

  test("offer, answer and candidate reach their target alone", async () => {
    const a = await join("peer123");
    const b = await join("peer456");
    const c = await join("peer789");
    expect(await a.next()).toMatchObject({ type: "peer-joined", peer_id: "peer456", timestamp: ISO });
    const offer = { type: "offer", sdp: "v=0" };
    a.send({ type: "offer", payload: { target_peer_id: "peer456", offer }, room: "room123" });
    await b.until(frame => frame["type"] === "peer-joined");
    expect(await b.next()).toEqual({ type: "offer", offer, source_peer_id: "peer123", timestamp: ISO });
    await a.next();
    const answer = { type: "answer", sdp: "v=0" };
    b.send({ type: "answer", payload: { target_peer_id: "peer123", answer }, room: "room123" });
    expect(await a.next()).toEqual({ type: "answer", answer, source_peer_id: "peer456", timestamp: ISO });
    const candidate = { candidate: "c", sdpMLineIndex: 0, sdpMid: "0" };
    b.send({ type: "ice-candidate", payload: { target_peer_id: "peer123", candidate }, room: "room123" });
    expect(await a.next()).toEqual({
      type: "ice-candidate",
      candidate,
      source_peer_id: "peer456",
      timestamp: ISO,
    });
    expect(await ask(c, { type: "peers" })).toMatchObject({ peers: ["peer123", "peer456", "peer789"] });
    b.send({ type: "leave", payload: {}, room: "room123" });
    expect(await a.next()).toMatchObject({ type: "peer-left", peer_id: "peer456", timestamp: ISO });
    await c.close();
    expect(await a.next()).toMatchObject({ type: "peer-left", peer_id: "peer789" });
  });

  test("errors are in the words of the protocol", async () => {
    const client = await open();
    const errors: [unknown, string][] = [
      ["{", "Invalid JSON format"],
      [{}, "Message type is required"],
      [{ type: "dance" }, "Unknown message type: dance"],
      [{ type: "join", payload: { peer_id: "p" } }, "Room ID is required"],
      [{ type: "join", payload: {}, room: "r" }, "peer_id is required"],
      [{ type: "offer", payload: { target_peer_id: "x" } }, "Not connected to any room"],
      [{ type: "leave" }, "Not connected to any room"],
    ];
    for (const [frame, message] of errors) {
      expect(await ask(client, frame)).toEqual({ type: "error", message, timestamp: ISO });
    }
    await ask(client, { type: "join", payload: { peer_id: "p" }, room: "r" });
    for (const [type, called] of [
      ["offer", "offer"],
      ["answer", "answer"],
      ["ice-candidate", "ICE candidate"],
    ]) {
      expect(await ask(client, { type, payload: {}, room: "r" })).toMatchObject({
        message: `target_peer_id is required for ${called}`,
      });
    }
    expect(await ask(client, { type: "offer", payload: { target_peer_id: "x" } })).toMatchObject({
      message: "Peer not found: x",
    });
  });

  test("a name that is taken is refused, unless its owner comes back with its token", async () => {
    const a = await open();
    const joined = await ask(a, { type: "join", payload: { peer_id: "p" }, room: "r" });
    const b = await open();
    const again = (payload: object) =>
      ask(b, { type: "join", payload: { peer_id: "p", ...payload }, room: "r" });
    expect(await again({})).toMatchObject({ type: "error" });
    expect(await again({ resume_token: `${String(joined["resume_token"]).slice(0, -2)}xx` })).toMatchObject({
      type: "error",
    });
    expect(await again({ resume_token: joined["resume_token"] })).toMatchObject({
      type: "joined",
      peers: [],
    });
    expect((await a.closed).code).toBe(4001);
    expect(service.rooms.presence("signaling", "r")).toHaveLength(1);
  });
});

describe("/ws/mcp/", () => {
  const open = (): Promise<TestClient> => connect("/ws/mcp/");

  test("users talk in rooms, and hear themselves", async () => {
    const [a, b] = await Promise.all([open(), open()]);
    expect(await ask(a, { type: "connect", payload: { user_id: "user123" } })).toEqual({
      type: "connect",
      status: "success",
      timestamp: ISO,
    });
    await ask(b, { type: "connect", payload: { user_id: "user456" } });
    expect(await ask(a, { type: "join-room", payload: {}, room: "room123" })).toEqual({
      type: "room-joined",
      room: "room123",
      timestamp: ISO,
    });
    expect(await a.next()).toEqual({ type: "user-joined", user_id: "user123", timestamp: ISO });
    await ask(b, { type: "join-room", payload: {}, room: "room123" });
    expect(await a.next()).toMatchObject({ type: "user-joined", user_id: "user456" });
    await b.next();
    b.send({ type: "message", payload: { content: "Hello, room!" }, room: "room123" });
    for (const client of [a, b]) {
      expect(await client.next()).toEqual({
        type: "message",
        user_id: "user456",
        message: { content: "Hello, room!" },
        timestamp: ISO,
      });
    }
    expect(await ask(b, { type: "join-room", payload: {}, room: "other" })).toMatchObject({
      type: "room-joined",
    });
    expect(await a.next()).toEqual({ type: "user-left", user_id: "user456", timestamp: ISO });
    expect(await ask(a, { type: "leave-room", payload: {}, room: "room123" })).toMatchObject({
      type: "room-left",
      room: "room123",
    });
    a.send({ type: "disconnect" });
    expect((await a.closed).code).toBe(1000);
  });

  test("errors are in the words of the protocol", async () => {
    const client = await open();
    const errors: [unknown, string][] = [
      ["nonsense", "Invalid JSON format"],
      [{ payload: {} }, "Message type is required"],
      [{ type: "dance" }, "Unknown message type: dance"],
      [{ type: "connect", payload: {} }, "user_id is required for connection"],
      [{ type: "join-room", payload: {} }, "Room ID is required"],
      [{ type: "message", payload: { content: "x" }, room: "r" }, "Not connected to any room"],
      [{ type: "leave-room", payload: {}, room: "r" }, "Not connected to any room"],
    ];
    for (const [frame, message] of errors) {
      expect(await ask(client, frame)).toEqual({ type: "error", message, timestamp: ISO });
    }
  });

  test("a JSON-RPC frame gets a JSON-RPC answer", async () => {
    const client = await open();
    expect(await ask(client, { jsonrpc: "2.0", id: "a", method: "initialize" })).toEqual({
      jsonrpc: "2.0",
      id: "a",
      error: { code: -32000, message: expect.stringContaining("MCP") },
    });
    await ask(client, { type: "connect", payload: { user_id: "u" } });
  });
});

describe("/signaling", () => {
  const open = (): Promise<TestClient> => connect("/signaling");

  test("peers of a session exchange descriptions, candidates and tracks", async () => {
    const [a, b] = await Promise.all([open(), open()]);
    const created = await ask(a, { type: "create_session", session_options: { session_type: "broadcast" } });
    expect(created).toMatchObject({
      type: "session_created",
      result: { success: true, session_type: "broadcast" },
    });
    const { session_id } = created;
    expect(
      await ask(a, { type: "join_session", session_id, peer_info: { peer_id: "a", role: "broadcaster" } }),
    ).toMatchObject({ type: "session_joined", result: { peer_id: "a" } });
    await ask(b, { type: "join_session", session_id, peer_info: { peer_id: "b" } });
    expect(await a.next()).toMatchObject({ type: "peer_joined", peer: { peer_id: "b", role: "viewer" } });
    expect(await ask(b, { type: "get_sessions", public_only: true })).toMatchObject({
      type: "sessions_list",
      result: { count: 1, sessions: [{ session_id, peer_count: 2 }] },
    });
    const { pc_id } = await ask(a, {
      type: "create_peer_connection",
      session_id,
      source_peer_id: "a",
      target_peer_id: "b",
    });
    expect(await b.next()).toMatchObject({ type: "peer_connection_created", pc_id, source_peer_id: "a" });
    expect(await ask(a, { type: "offer", session_id, pc_id, sdp: "o" })).toMatchObject({
      type: "offer_handled",
    });
    expect(await b.next()).toMatchObject({ type: "offer", pc_id, sdp: "o", source_peer_id: "a" });
    expect(await ask(b, { type: "answer", session_id, pc_id, sdp: "x", sdp_type: "answer" })).toMatchObject({
      type: "answer_handled",
    });
    expect(await a.next()).toMatchObject({ type: "answer", pc_id, sdp: "x", sdp_type: "answer" });
    b.send({ type: "candidate", session_id, pc_id, candidate: "c", sdp_mid: "0", sdp_mline_index: 0 });
    expect(await a.next()).toMatchObject({
      type: "candidate",
      candidate: "c",
      sdp_mid: "0",
      sdp_mline_index: 0,
    });
    expect(
      await ask(a, { type: "add_track", session_id, track_info: { track_id: "t", kind: "video" } }),
    ).toMatchObject({
      type: "track_added",
      result: { track_id: "t" },
    });
    expect(await b.next()).toMatchObject({
      type: "track_added",
      track_info: { track_id: "t", kind: "video" },
    });
    expect(await ask(b, { type: "subscribe_to_track", session_id, track_id: "t" })).toMatchObject({
      type: "track_subscription",
    });
    expect(await a.next()).toMatchObject({ type: "track_subscription", track_id: "t", peer_id: "b" });
    expect(await ask(b, { type: "remove_track", session_id, track_id: "t" })).toMatchObject({
      type: "error",
    });
    expect(await ask(b, { type: "get_session_info", session_id })).toMatchObject({
      result: { tracks: [{ track_id: "t", kind: "video", peer_id: "a" }] },
    });
    expect(await ask(b, { type: "leave_session", session_id })).toMatchObject({ type: "session_left" });
    expect(await a.next()).toMatchObject({ type: "peer_left", session_id, peer_id: "b" });
    expect(await ask(a, { type: "ping" })).toMatchObject({ type: "pong" });
  });

  test("errors are in the words of the protocol, and nobody acts for somebody else", async () => {
    const [a, b] = await Promise.all([open(), open()]);
    const errors: [unknown, string][] = [
      ["{", "Invalid JSON message"],
      [{ type: "dance" }, "Unknown message type: dance"],
      [{ type: "toString" }, "Unknown message type: toString"],
      [{ type: "join_session" }, "Missing required parameters for join_session"],
      [{ type: "join_session", session_id: "x" }, "Session not found"],
      [{ type: "get_session_info", session_id: "x" }, "Session not found"],
    ];
    for (const [frame, message] of errors) expect(await ask(a, frame)).toEqual({ type: "error", message });
    const options = { session_id: "s", public: false, password: "p", max_peers: 1 };
    await ask(a, { type: "create_session", session_options: options });
    expect(await ask(a, { type: "create_session", session_options: options })).toMatchObject({
      type: "error",
    });
    expect(await ask(b, { type: "get_session_info", session_id: "s" })).toMatchObject({
      message: "Session not found",
    });
    expect(await ask(b, { type: "join_session", session_id: "s" })).toMatchObject({ type: "error" });
    await ask(a, { type: "join_session", session_id: "s", password: "p", peer_info: { peer_id: "a" } });
    expect(await ask(b, { type: "join_session", session_id: "s", password: "p" })).toMatchObject({
      type: "error",
    });
    expect(await ask(b, { type: "get_sessions" })).toMatchObject({ result: { count: 0 } });
    expect(await ask(b, { type: "add_track", session_id: "s", track_info: {} })).toMatchObject({
      message: "Not a member of this session",
    });
  });
});

test("no text brings a door down, and each is answered or relayed", () => {
  const type = fc.constantFrom(
    "join",
    "offer",
    "connect",
    "join-room",
    "message",
    "create_session",
    "join_session",
    "add_track",
    "candidate",
    7,
  );
  const frame = fc.record({
    type,
    room: fc.jsonValue(),
    payload: fc.jsonValue(),
    session_options: fc.jsonValue(),
    peer_info: fc.jsonValue(),
    session_id: fc.constantFrom("s", 3),
  });
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    frame.map(value => JSON.stringify(value)),
  );
  for (const { handler } of service.routes) {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), texts => {
        const sent: unknown[] = [];
        const connection = handler.connect({
          principal: ownerPrincipal,
          send: reply => sent.push(JSON.parse(reply)) > 0,
          bufferedBytes: () => 0,
          close() {},
        });
        for (const one of texts) void connection.receive(one);
        void connection.close("done");
        expect(sent.every(reply => typeof reply === "object")).toBe(true);
        expect(JSON.stringify(sent)).not.toContain("Internal error");
      }),
      { numRuns: 300 },
    );
  }
  expect(service.rooms.list()).toEqual([]);
});
