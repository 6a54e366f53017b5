import { expect, test } from "vitest";
import { noMetrics, ownerPrincipal, silentLogger, VirtualClock } from "../../core/index.ts";
import { MAX_SESSION_ITEMS, MAX_SESSIONS_PER_CONNECTION, ROOM_IDLE_MS, SWEEP_MS } from "../limits.ts";
import { createRoomsService } from "../service.ts";

/** A client of the sessions without a socket. Each message is a second after the one before, so that none is too often. */
function client(clock: VirtualClock) {
  const service = createRoomsService()({ clock, log: silentLogger, metrics: noMetrics });
  const sent: Record<string, unknown>[] = [];
  const route = service.routes.find(({ path }) => path === "/signaling");
  const connection = route?.handler.connect({
    principal: ownerPrincipal,
    send: text => sent.push(JSON.parse(text) as Record<string, unknown>) > 0,
    bufferedBytes: () => 0,
    close() {},
  });
  const ask = (message: object): Record<string, unknown> | undefined => {
    clock.advance(1000);
    void connection?.receive(JSON.stringify(message));
    return sent.at(-1);
  };
  return { ask, service };
}

test("a connection is in so many sessions and no more", () => {
  const { ask } = client(new VirtualClock());
  for (let n = 0; n <= MAX_SESSIONS_PER_CONNECTION; n += 1) {
    ask({ type: "create_session", session_options: { session_id: `s${n}` } });
    const reply = ask({ type: "join_session", session_id: `s${n}` });
    expect(reply?.["type"]).toBe(n < MAX_SESSIONS_PER_CONNECTION ? "session_joined" : "error");
  }
});

test("a session has so many tracks and no more", () => {
  const { ask } = client(new VirtualClock());
  ask({ type: "create_session", session_options: { session_id: "s" } });
  ask({ type: "join_session", session_id: "s" });
  for (let n = 0; n <= MAX_SESSION_ITEMS; n += 1) {
    const reply = ask({ type: "add_track", session_id: "s", track_info: {} });
    expect(reply?.["type"]).toBe(n < MAX_SESSION_ITEMS ? "track_added" : "error");
  }
});

test("a session nobody comes to ends, and one with somebody in it does not", async () => {
  const clock = new VirtualClock();
  const { ask, service } = client(clock);
  ask({ type: "create_session", session_options: { session_id: "empty" } });
  ask({ type: "create_session", session_options: { session_id: "taken" } });
  ask({ type: "join_session", session_id: "taken" });
  clock.advance(ROOM_IDLE_MS - SWEEP_MS - 10_000);
  expect(ask({ type: "get_sessions" })).toMatchObject({ result: { count: 2 } });
  clock.advance(SWEEP_MS * 3);
  expect(ask({ type: "get_sessions" })).toMatchObject({ result: { sessions: [{ session_id: "taken" }] } });
  await service.stop();
});
