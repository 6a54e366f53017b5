import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serveSockets, type SocketServer, TestClient } from "../../../test/sockets/socket-server.ts";
import { noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import {
  MAX_CONNECTIONS_PER_ADDRESS,
  MAX_HELD_CANDIDATES,
  MAX_HELD_CHARS,
  MAX_MESSAGE_CHARS,
  MAX_REFUSED,
  MESSAGE_BURST,
} from "../limits.ts";
import { createRoomsService, type RoomsService } from "../service.ts";
import { pythonJsonError } from "./relay.ts";

const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };

describe("/ws/signal/", () => {
  let service: RoomsService;
  let server: SocketServer;
  const serve = async (maxMembers?: number): Promise<void> => {
    service = createRoomsService(maxMembers === undefined ? {} : { maxMembers })(components);
    server = await serveSockets(
      Object.fromEntries(service.routes.map(({ path, handler }) => [path, handler])),
    );
  };
  beforeEach(() => serve());
  afterEach(async () => {
    await service.stop();
    await server[Symbol.asyncDispose]();
  });
  const open = (query = "?room=r"): Promise<TestClient> =>
    TestClient.open(`${server.url}/ws/signal/${query}`);
  /** Resolves when the node has handled what this client has sent. */
  const settled = async (client: TestClient): Promise<void> => {
    client.send("{}");
    await client.until(frame => frame["error"] === "Unsupported message type");
  };

  /** How many messages were waiting for a client that has come. */
  const waited = async (client: TestClient): Promise<number> => {
    client.send("{}");
    for (let count = 0; ; count += 1) if ((await client.next())["error"] !== undefined) return count;
  };

  test("so many connections come from one address, and one more is closed", async () => {
    const clients: TestClient[] = [];
    for (let n = 0; n < MAX_CONNECTIONS_PER_ADDRESS; n += 1) clients.push(await open(`?room=r${n}`));
    const more = await open("?room=more");
    expect((await more.closed).code).toBe(4013);
    await clients[0]?.close();
    const next = await open("?room=next");
    await settled(next);
    for (const client of [...clients, more, next]) client[Symbol.dispose]();
  });

  test("every message goes byte for byte to all others of the room, and to nobody else", async () => {
    const [a, b, c, other] = await Promise.all([open(), open(), open(), open("?room=other")]);
    const texts = [
      '{"type": "offer", "sdp": "v=0\\r\\n…"}',
      '{"sdp":"x","type":"answer"}',
      ' { "type" : "candidate", "candidate":{"candidate":"ß 😀","sdpMid":null}, "n": 1e2, "n": 2 } ',
      '\ufeff{"type":"offer"}'.slice(1),
      '{"type":"leave"}',
    ];
    for (const text of texts) a.send(text);
    for (const text of texts) {
      expect(await b.text()).toBe(text);
      expect(await c.text()).toBe(text);
    }
    expect(await waited(other)).toBe(0);
    expect(await waited(a)).toBe(0);
    for (const client of [a, b, c, other]) client[Symbol.dispose]();
  });

  test("whoever joins after the offer gets it with its candidates, until it is answered", async () => {
    using a = await open();
    const offer = '{"type": "offer", "sdp": "fake-sdp-from-Client1"}';
    const candidate = '{"type": "candidate", "candidate": "c1"}';
    a.send(offer);
    a.send(candidate);
    await settled(a);
    const b = await open();
    expect(await b.text()).toBe(offer);
    expect(await b.text()).toBe(candidate);
    await b.close();
    expect(await a.text()).toBe('{"type":"leave"}');
    using c = await open();
    expect(await c.text()).toBe(offer);
    expect(await c.text()).toBe(candidate);
    c.send('{"type": "answer", "sdp": "x"}');
    expect(await a.text()).toBe('{"type": "answer", "sdp": "x"}');
    using d = await open();
    expect(await waited(d)).toBe(0);
  });

  test("an offer does not outlive its sender, and a newer one replaces it", async () => {
    const a = await open();
    a.send('{"type":"offer","sdp":"1"}');
    a.send('{"type":"offer","sdp":"2"}');
    await settled(a);
    using b = await open();
    expect(await b.text()).toBe('{"type":"offer","sdp":"2"}');
    a.send('{"type":"leave"}');
    expect(await b.text()).toBe('{"type":"leave"}');
    using c = await open();
    expect(await waited(c)).toBe(0);
    await a.close();
    expect(await waited(b)).toBe(0);
  });

  test("so many candidates wait and no more", async () => {
    using a = await open();
    a.send('{"type":"offer"}');
    for (let n = 0; n < MAX_HELD_CANDIDATES + 5; n += 1) a.send(JSON.stringify({ type: "candidate", n }));
    await settled(a);
    using b = await open();
    expect(await waited(b)).toBe(1 + MAX_HELD_CANDIDATES);
    a.send('{"type":"leave"}');
    using late = await open();
    expect(await waited(late)).toBe(0);
  });

  test("so many characters wait and no more", async () => {
    using a = await open();
    a.send('{"type":"offer"}');
    const candidate = JSON.stringify({ type: "candidate", text: "x".repeat(MAX_MESSAGE_CHARS - 100) });
    const fit = Math.floor(MAX_HELD_CHARS / candidate.length);
    for (let n = 0; n < fit + 2; n += 1) a.send(candidate);
    await settled(a);
    using b = await open();
    expect(await waited(b)).toBe(1 + fit);
  });

  test("without a name there is a room all the same", async () => {
    const [a, b, c] = await Promise.all([open(""), open("?room="), open("?room=default")]);
    a.send('{"type":"leave"}');
    expect(await b.text()).toBe('{"type":"leave"}');
    expect(await c.text()).toBe('{"type":"leave"}');
    for (const client of [a, b, c]) client[Symbol.dispose]();
  });

  test("errors are in the words of the protocol", async () => {
    using a = await open();
    a.send('{"type":"dance"}');
    expect(await a.text()).toBe('{"error":"Unsupported message type"}');
    a.send("7");
    expect(await a.text()).toBe('{"error":"Unsupported message type"}');
    a.send("hello");
    expect(await a.text()).toBe('{"error":"Expecting value: line 1 column 1 (char 0)"}');
    a.send('{"type":"offer"');
    expect((await a.next())["error"]).toMatch("Invalid JSON");
    a.send(JSON.stringify({ type: "offer", sdp: "x".repeat(MAX_MESSAGE_CHARS) }));
    expect((await a.next())["error"]).toMatch("at most");
  });

  test.each([
    ["", "Expecting value: line 1 column 1 (char 0)"],
    ["  x", "Expecting value: line 1 column 3 (char 2)"],
    ["\n\n x", "Expecting value: line 3 column 2 (char 3)"],
  ])("Python's words for %j", (text, message) => {
    expect(pythonJsonError(text)).toBe(message);
  });

  test("one more than the room takes is told, and closed", async () => {
    await service.stop();
    await server[Symbol.asyncDispose]();
    await serve(2);
    const [a, b] = await Promise.all([open(), open()]);
    using c = await open();
    expect(await c.text()).toBe('{"type":"error","message":"Room is full"}');
    expect((await c.closed).code).toBe(1008);
    await b.close();
    expect(await a.text()).toBe('{"type":"leave"}');
    using d = await open();
    d.send('{"type":"offer"}');
    expect(await a.text()).toBe('{"type":"offer"}');
    a[Symbol.dispose]();
  });

  test("a room with a password is entered with it, or with a token of it", async () => {
    using a = await open("?room=r&password=secret");
    using wrong = await open("?room=r&password=guess");
    expect((await wrong.next())["message"]).toMatch("password");
    expect((await wrong.closed).code).toBe(1008);
    using right = await open("?room=r&password=secret");
    const token = service.rooms.roomToken("signal", "r", 60);
    using bearer = await open(`?room=r&room_token=${encodeURIComponent(token)}`);
    await settled(bearer);
    a.send('{"type":"leave"}');
    expect(await right.text()).toBe('{"type":"leave"}');
    expect(await bearer.text()).toBe('{"type":"leave"}');
    expect(service.rooms.list()).toMatchObject([{ space: "signal", room: "r", members: 3, protected: true }]);
  });

  test("a flood is refused, then closed; the others of the room are unharmed", async () => {
    const [a, b] = await Promise.all([open(), open("?room=other")]);
    for (let n = 0; n < MESSAGE_BURST + MAX_REFUSED + 50; n += 1) a.send('{"type":"x"}');
    expect((await a.closed).code).toBe(4029);
    await settled(b);
    b[Symbol.dispose]();
  });
});
