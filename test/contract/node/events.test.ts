import { Readable } from "node:stream";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { TestClient } from "../../sockets/socket-server.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

/** Frames of a stream of server-sent events, one by one. */
class EventReader implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.pipeThrough(new TextDecoderStream() as never).getReader() as never;
  }

  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventReader> {
    const response = await fetch(url, { headers });
    const type = response.headers.get("content-type") ?? "";
    if (!type.startsWith("text/event-stream")) throw new Error(`${response.status} ${type}`);
    return new EventReader(response.body!);
  }

  async next(): Promise<{ event: string; id: string; data: Record<string, unknown> }> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
        if (!block.startsWith(":"))
          return { event: field("event"), id: field("id"), data: JSON.parse(field("data")) as never };
        continue;
      }
      const chunk = await this.#reader.read();
      if (chunk.done) throw new Error("the stream ended");
      this.#text += chunk.value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel();
  }
}

const add = async (url: string, text: string, name: string): Promise<string> => {
  const response = await fetch(`${url}/api/v0/add?name=${name}`, {
    method: "POST",
    body: text,
    headers: { "content-type": "text/plain" },
  });
  const { cid } = (await response.json()) as { cid: string };
  return cid;
};

describe("notifications of a node", () => {
  test.each(["/ws/notifications", "/ws/notifications/", "/api/v0/notifications/ws", "/ws"])(
    "who subscribes at %s hears of a file that is added",
    async path => {
      await using served = await serveNode();
      using client = await TestClient.open(`${served.wsUrl}${path}`);
      expect(await client.next()).toMatchObject({ type: "welcome" });
      client.send({ action: "subscribe", notification_types: ["content_added"] });
      expect(await client.next()).toMatchObject({
        type: "subscription_confirmed",
        notification_types: ["content_added"],
      });
      const cid = await add(served.url, "hello", "hello.txt");
      expect(await client.next()).toMatchObject({
        type: "notification",
        notification_type: "content_added",
        data: { cid, name: "hello.txt", size: 5 },
      });
    },
  );

  test("a status connection gets the first status and, without asking, what changes it", async () => {
    await using served = await serveNode();
    using client = await TestClient.open(`${served.wsUrl}/ws/status`);
    expect(await client.next()).toMatchObject({ type: "welcome" });
    const status = await client.next();
    expect(status).toMatchObject({ type: "initial_status", ipfs_online: true, peers_connected: 0 });
    const { cpu_usage, memory_usage, disk_usage } = status["system_info"] as Record<string, number>;
    for (const share of [memory_usage!, disk_usage!]) {
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThanOrEqual(100);
    }
    expect(cpu_usage).toBeGreaterThanOrEqual(0);
    const confirmed = await client.until(frame => frame["type"] === "subscription_confirmed");
    expect(confirmed["notification_types"]).toContain("pin_added");
    const cid = await add(served.url, "pinned", "pinned.txt");
    await served.node.content.pin(cid, { name: "again" });
    await client.until(frame => frame["notification_type"] === "pin_added");
    // What was sent and received just now is among the bytes of the last seconds.
    const bandwidth = async () => {
      client.send({ action: "get_status" });
      const update = await client.until(frame => frame["type"] === "status_update");
      return (update["system_info"] as { bandwidth: { in: number; out: number } }).bandwidth;
    };
    const moved = await bandwidth();
    expect(moved.in).toBeGreaterThan(0);
    expect(moved.out).toBeGreaterThan(0);
  });
});

describe("what happens", () => {
  const heardBy = async (served: ServedNode, types: readonly string[]) => {
    const client = await TestClient.open(`${served.wsUrl}/ws/notifications`);
    await client.next();
    client.send({ action: "subscribe", notification_types: types });
    await client.next();
    return client;
  };

  test("to content is told to who subscribed, in order", async () => {
    await using served = await serveNode();
    const types = ["content_added", "content_removed", "pin_added", "pin_removed", "pin_status_changed"];
    using client = await heardBy(served, types);
    const cid = await add(served.url, "short-lived", "short.txt");
    await fetch(`${served.url}/api/v0/pin/${cid}?name=second`, { method: "POST" });
    await fetch(`${served.url}/api/v0/pin/${cid}?name=second`, { method: "DELETE" });
    await fetch(`${served.url}/api/v0/content/${cid}`, { method: "DELETE" });
    const told: unknown[] = [];
    while (told.at(-1) !== "content_removed") {
      const { notification_type, data } = await client.next();
      expect(data).toMatchObject({ cid });
      told.push(notification_type);
      if (notification_type === "pin_status_changed") told.push((data as { status: string }).status);
    }
    const pinned = ["pin_status_changed", "pinning", "pin_added", "pin_status_changed", "pinned"];
    expect(told).toEqual([
      "content_added",
      "pin_added",
      ...pinned,
      "pin_removed",
      "pin_removed",
      "content_removed",
    ]);
  });

  test("to the swarm is told: who came, who went, and how many there are", async () => {
    const p2p = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };
    await using served = await serveNode({ p2p });
    using client = await heardBy(served, ["peer_connected", "peer_disconnected", "swarm_changed"]);
    {
      await using other = await serveNode({ p2p });
      const [address] = other.node.peer?.multiaddrs ?? [];
      await served.node.peer?.connectToPeer(String(address));
      const came = { peer_id: other.node.peer?.id, direction: "outbound" };
      expect(await client.next()).toMatchObject({ notification_type: "peer_connected", data: came });
      expect(await client.next()).toMatchObject({ notification_type: "swarm_changed", data: { peers: 1 } });
    }
    expect(await client.next()).toMatchObject({ notification_type: "peer_disconnected" });
    expect(await client.next()).toMatchObject({ notification_type: "swarm_changed", data: { peers: 0 } });
  });

  test("to the node itself is told: that it has started, and which settings are in force anew", async () => {
    await using served = await serveNode();
    const { node } = served;
    node.reload({ ...node.config, logLevel: "warn" });
    const told = node.notify?.events.recent(10, ({ topic }) => topic === "system_info");
    expect(told?.map(({ data }) => data)).toEqual([
      { message: "the node has started", version: node.version },
      { message: "settings were read again", settings: ["logLevel"] },
    ]);
  });

  test("to a part that cannot start is told as a warning to who resumes from before", async () => {
    await using served = await serveNode({ redisUrl: "redis://127.0.0.1:1" });
    const events = served.node.notify?.events.recent(10, ({ topic }) => topic === "system_warning");
    expect(events?.map(({ data }) => data["message"])).toContain(
      "rooms is degraded: Redis cannot be reached: this node goes on alone",
    );
  });
});

describe("server-sent events", () => {
  test("tell what happens, and go on where a lost connection ended", async () => {
    await using served = await serveNode();
    const url = `${served.url}/api/v0/events?types=content_added`;
    let seen: string;
    const first = await add(served.url, "before", "before.txt");
    {
      await using events = await EventReader.open(url);
      expect(await events.next()).toMatchObject({ event: "welcome", data: { resumed: false } });
      const cid = await add(served.url, "one", "one.txt");
      const heard = await events.next();
      expect(heard).toMatchObject({ event: "notification", data: { data: { cid } } });
      expect(cid).not.toBe(first);
      seen = heard.id;
    }
    const missed = await add(served.url, "two", "two.txt");
    await using again = await EventReader.open(url, { "last-event-id": seen });
    expect(await again.next()).toMatchObject({ event: "welcome", data: { resumed: true } });
    expect(await again.next()).toMatchObject({ event: "notification", data: { data: { cid: missed } } });
  });

  test("go on over a restart of the node", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "cidcast-kept-"));
    try {
      let seen: string;
      {
        await using served = await serveNode({ dataDir });
        await using events = await EventReader.open(`${served.url}/api/v0/events`);
        seen = (await events.next()).id;
        await add(served.url, "kept", "kept.txt");
        expect(await events.next()).toMatchObject({ event: "notification" });
      }
      await using served = await serveNode({ dataDir });
      const options = { "last-event-id": seen };
      await using events = await EventReader.open(`${served.url}/api/v0/events?types=content_added`, options);
      expect(await events.next()).toMatchObject({ event: "welcome", data: { resumed: true } });
      expect(await events.next()).toMatchObject({ data: { notification_type: "content_added" } });
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  test("of a position that is none of this node's begin anew and say so", async () => {
    await using served = await serveNode();
    const options = { "last-event-id": "somebody-elses:7" };
    await using events = await EventReader.open(`${served.url}/api/v0/events`, options);
    expect(await events.next()).toMatchObject({ event: "resync_required" });
  });

  test("a filter that cannot be read is refused before anything is sent", async () => {
    await using served = await serveNode();
    const response = await fetch(`${served.url}/api/v0/events?filter=${encodeURIComponent("cid ^=")}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: "INVALID_REQUEST" } });
  });

  test("end with the node, which does not wait for them", async () => {
    const served = await serveNode();
    const response = await fetch(`${served.url}/api/v0/events`);
    const reader = response.body!.getReader();
    await reader.read();
    await served[Symbol.asyncDispose]();
    expect((await reader.read()).done).toBe(true);
  });
});

describe("rooms of a node", () => {
  test("whoever comes late gets the offer that waits, byte for byte", async () => {
    await using served = await serveNode();
    const room = `${served.wsUrl}/ws/signal/?room=studio`;
    const offer = '{"type":"offer",  "offer":{"type":"offer","sdp":"v=0\\r\\n"}}';
    const candidate = '{"type":"candidate","candidate":{"candidate":"candidate:1","sdpMid":"0"}}';
    using early = await TestClient.open(room);
    early.send(offer);
    early.send(candidate);
    early.send("no json");
    expect(await early.next()).toMatchObject({ error: "Expecting value: line 1 column 1 (char 0)" });
    using late = await TestClient.open(room.replace("/?", "?"));
    expect(await late.text()).toBe(offer);
    expect(await late.text()).toBe(candidate);
    const answer = '{"type":"answer","answer":{"type":"answer","sdp":"v=0"}}';
    late.send(answer);
    expect(await early.text()).toBe(answer);
  });

  test("a message for one peer reaches that one", async () => {
    await using served = await serveNode();
    using a = await TestClient.open(`${served.wsUrl}/ws/signaling/`);
    using b = await TestClient.open(`${served.wsUrl}/ws/signaling`);
    for (const [client, peer] of [
      [a, "a"],
      [b, "b"],
    ] as const) {
      client.send({ type: "join", room: "r", payload: { peer_id: peer }, peer_id: peer });
      await client.until(frame => frame["type"] === "joined");
    }
    a.send({ type: "offer", target_peer_id: "b", payload: { target_peer_id: "b", offer: { sdp: "x" } } });
    expect(await b.until(frame => frame["type"] === "offer")).toMatchObject({ source_peer_id: "a" });
  });

  test("talk at /ws/mcp/ and sessions at /signaling are served", async () => {
    await using served = await serveNode();
    using talk = await TestClient.open(`${served.wsUrl}/ws/mcp/`);
    talk.send({ type: "connect", payload: { user_id: "ann" } });
    expect(await talk.next()).toMatchObject({ type: "connect", status: "success" });
    using sessions = await TestClient.open(`${served.wsUrl}/signaling`);
    sessions.send({ type: "ping" });
    expect(await sessions.until(frame => frame["type"] === "pong")).toBeDefined();
  });

  test("hold as many as the setting says", async () => {
    await using served = await serveNode({ rooms: { maxMembers: 2 } });
    const room = `${served.wsUrl}/ws/signal/?room=two`;
    using _a = await TestClient.open(room);
    using _b = await TestClient.open(room);
    using third = await TestClient.open(room);
    expect(await third.next()).toEqual({ type: "error", message: "Room is full" });
    expect((await third.closed).code).toBe(1008);
  });
});

test("a stream of a file being added tells the same to everybody who listens", async () => {
  await using served = await serveNode();
  using client = await TestClient.open(`${served.wsUrl}/ws/notifications`);
  await client.next();
  client.send({ action: "subscribe", notification_types: ["all_events"] });
  await client.next();
  const { cid } = await served.node.content.add(Readable.from([Buffer.from("in process")]));
  const heard = await client.until(frame => frame["notification_type"] === "content_added");
  expect(heard["data"]).toMatchObject({ cid });
});

test("an application has addresses of its own, and tells what it has to tell", async () => {
  await using served = await serveNode();
  const { notify } = served.node;
  using listener = await TestClient.open(`${served.wsUrl}/ws/notifications`);
  await listener.next();
  listener.send({ action: "subscribe", notification_types: ["system_info"] });
  await listener.next();
  const remove = notify?.sockets.registerRoute({
    path: "/ws/echo",
    action: "events:subscribe",
    handler: {
      connect: socket => ({
        receive: text => {
          socket.send(text);
          notify.emitEvent("system_info", { message: text });
        },
        close() {},
      }),
    },
  });
  for (const path of ["/ws/echo", "/ws/echo/"]) {
    using client = await TestClient.open(served.wsUrl + path);
    client.send("there and back");
    expect(await client.text()).toBe("there and back");
    expect(await listener.next()).toMatchObject({ data: { message: "there and back" } });
  }
  const taken = {
    path: "/webrtc",
    action: "events:subscribe",
    handler: { connect: () => ({ receive() {}, close() {} }) },
  } as const;
  expect(() => notify?.sockets.registerRoute(taken)).toThrow(expect.objectContaining({ code: "CONFLICT" }));
  expect(notify?.sockets.route("/webrtc")).toBeUndefined();
  remove?.();
  await expect(TestClient.open(`${served.wsUrl}/ws/echo`)).rejects.toThrow("404");
});
