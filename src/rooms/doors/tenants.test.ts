import { afterEach, beforeEach, expect, test } from "vitest";
import { noMetrics, type Principal, silentLogger, systemClock } from "../../core/index.ts";
import type { SocketConnection } from "../../notify/index.ts";
import { createRoomsService, type RoomsService } from "../service.ts";

let service: RoomsService;
beforeEach(() => {
  service = createRoomsService()({ clock: systemClock, log: silentLogger, metrics: noMetrics });
});
afterEach(() => service.stop());

/** A client of a tenant at one of the doors, and what it has heard. */
function client(path: string, tenantId: string): SocketConnection & { readonly heard: string[] } {
  const principal: Principal = {
    kind: "token",
    id: `of ${tenantId}`,
    door: "ws",
    tenantId,
    scopes: new Set(),
  };
  const heard: string[] = [];
  const send = (text: string): boolean => heard.push(text) > 0;
  const handler = service.routes.find(route => route.path === path)?.handler;
  const query = new URLSearchParams({ room: "x" });
  const connection = handler?.connect({ principal, query, send, bufferedBytes: () => 0, close() {} });
  if (connection === undefined) throw new Error(`there is no door at ${path}`);
  return { receive: text => connection.receive(text), close: reason => connection.close(reason), heard };
}

const text = JSON.stringify;

test("an offer reaches the others of the room, but nobody of another tenant", () => {
  const [a, same, other] = [
    client("/ws/signal/", "a"),
    client("/ws/signal/", "a"),
    client("/ws/signal/", "b"),
  ];
  const offer = text({ type: "offer", sdp: "v=0" });
  void a.receive(offer);
  expect(same.heard).toEqual([offer]);
  expect(other.heard).toEqual([]);
  expect(client("/ws/signal/", "b").heard).toEqual([]);
});

test("a peer of another tenant cannot be addressed", () => {
  const [a, b] = [client("/ws/signaling/", "a"), client("/ws/signaling/", "b")];
  void a.receive(text({ type: "join", room: "x", payload: { peer_id: "alice" } }));
  void b.receive(text({ type: "join", room: "x", payload: { peer_id: "bob" } }));
  expect(b.heard.join()).not.toContain("alice");
  void b.receive(
    text({
      type: "offer",
      room: "x",
      payload: { target_peer_id: "alice", offer: { type: "offer", sdp: "v=0" } },
    }),
  );
  expect(a.heard.join()).not.toContain("v=0");
});

test("sessions of another tenant are neither listed nor found, and their ids stay free", () => {
  const [a, b] = [client("/signaling", "a"), client("/signaling", "b")];
  const create = text({ type: "create_session", session_options: { session_id: "show", public: true } });
  void a.receive(create);
  void b.receive(text({ type: "get_sessions" }));
  expect(JSON.parse(b.heard.at(-1) ?? "")).toMatchObject({ type: "sessions_list", count: 0 });
  void b.receive(text({ type: "get_session_info", session_id: "show" }));
  expect(b.heard.at(-1)).toContain("Session not found");
  void b.receive(create);
  expect(JSON.parse(b.heard.at(-1) ?? "")).toMatchObject({ type: "session_created" });
});
