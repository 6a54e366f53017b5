import { once } from "node:events";
import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type Authoriser, CidcastError } from "../core/index.ts";
import { DEFAULT_WEB_SOCKET_LIMITS } from "./limits.ts";
import { closing, next, serveRouter, until } from "./testing/serve-router.ts";
import type { SocketContext } from "./types.ts";

/** The refusal of an upgrade: status and body. */
async function refusal(
  port: number,
  path: string,
): Promise<{ status: number; code: string; headers: object }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  socket.on("error", () => undefined);
  const [, response] = await once(socket, "unexpected-response");
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, code: JSON.parse(text).error.code, headers: response.headers };
}

describe("paths", () => {
  test("of the signalling greet as their clients expect", async () => {
    await using f = await serveRouter();
    const silent = await f.open("/webrtc");
    silent.send("first");
    expect(await next(silent)).toBe("first");
    for (const path of ["/ws/webrtc", "/mcp/webrtc/ws", "/ws/webrtc?client=1"]) {
      const socket = new WebSocket(`ws://127.0.0.1:${f.port}${path}`);
      expect(await next(socket)).toBe("welcome");
    }
    expect(f.signalling.greetings).toEqual(["silent", "welcome", "welcome", "welcome"]);
  });

  test("that do not exist are 404, and nothing else is harmed", async () => {
    await using f = await serveRouter();
    expect(await refusal(f.port, "/nothing")).toMatchObject({ status: 404, code: "NOT_FOUND" });
    expect(await refusal(f.port, "/webrtc/more")).toMatchObject({ status: 404 });
    expect(await (await fetch(`http://127.0.0.1:${f.port}/`)).text()).toBe("http");
  });

  test("can be added, each once, and every one asks for an action", async () => {
    await using f = await serveRouter();
    let context: SocketContext | undefined;
    f.router.handle({
      path: "/echo",
      action: "events:subscribe",
      connect(given) {
        context = given;
        return { onText: () => undefined, onBinary: data => void given.send(data), onClose: () => undefined };
      },
    });
    const socket = await f.open("/echo?a=1&token=secretsecretsecret");
    socket.send(Buffer.from([1, 2]));
    expect((await once(socket, "message"))[0]).toEqual(Buffer.from([1, 2]));
    expect([context?.path, String(context?.query)]).toEqual(["/echo", "a=1"]);
    expect(() => f.router.handle({ ...f.router.routes()[0]! })).toThrow(/taken/);
    expect(f.router.routes().map(({ path, action }) => `${path} ${action}`)).toEqual([
      "/webrtc media:play",
      "/ws/webrtc media:play",
      "/mcp/webrtc/ws media:play",
      "/echo events:subscribe",
    ]);
  });

  test("are refused to those who may not", async () => {
    const asked: string[] = [];
    const authoriser: Authoriser = {
      authorise(_principal, action) {
        asked.push(action);
        throw new CidcastError("UNAUTHENTICATED", "A token is needed");
      },
    };
    await using f = await serveRouter({}, { authoriser });
    f.router.handle({
      path: "/programs",
      action: "content:read",
      connect: () => ({ onText: () => undefined, onClose: () => undefined }),
    });
    expect(await refusal(f.port, "/programs")).toMatchObject({
      status: 401,
      code: "UNAUTHENTICATED",
      headers: { "www-authenticate": 'Bearer realm="cidcast"' },
    });
    const page = new WebSocket(`ws://127.0.0.1:${f.port}/webrtc`);
    expect(await closing(page)).toEqual({ code: 4001, reason: "A token is needed" });
    expect(asked).toEqual(["content:read", "media:play"]);
    expect(f.signalling.greetings).toEqual([]);
  });

  test("are refused at the door before they are looked up", async () => {
    const admit = (): never => {
      throw new CidcastError("ORIGIN_NOT_ALLOWED", "no");
    };
    await using f = await serveRouter({}, { admit });
    expect(await refusal(f.port, "/webrtc")).toMatchObject({ status: 403, code: "ORIGIN_NOT_ALLOWED" });
    expect(await refusal(f.port, "/nothing")).toMatchObject({ status: 403, code: "ORIGIN_NOT_ALLOWED" });
    expect(await f.metricsText()).toContain('cidcast_ws_refused_total{reason="ORIGIN_NOT_ALLOWED"} 2');
  });

  test("answer an upgrade that is no WebSocket's with an error", async () => {
    await using f = await serveRouter();
    const socket = connect(f.port, "127.0.0.1");
    socket.write("GET /webrtc HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1.1 400 [\s\S]*"INVALID_REQUEST"/);
  });
});

describe("without WebRTC", () => {
  const missing = { signalling: undefined, signallingMissing: "webrtc.enabled is false" };
  const expected = {
    type: "error",
    code: "FEATURE_DISABLED",
    message: "WebRTC is not available on this node: webrtc.enabled is false",
    dependency_status: { webrtc: false },
  };

  test("a path that greets says so at once and closes", async () => {
    await using f = await serveRouter({}, missing);
    const socket = new WebSocket(`ws://127.0.0.1:${f.port}/ws/webrtc`);
    const closed = closing(socket);
    expect(JSON.parse(await next(socket))).toMatchObject(expected);
    expect(await closed).toEqual({ code: 1011, reason: "WebRTC is not available" });
  });

  test("a silent path says so when the client speaks", async () => {
    await using f = await serveRouter({}, missing);
    const socket = await f.open("/webrtc");
    const closed = closing(socket);
    const answer = next(socket);
    socket.send('{"type":"offer_request"}');
    expect(JSON.parse(await answer)).toMatchObject(expected);
    expect((await closed).code).toBe(1011);
  });
});

describe("limits", () => {
  test("a message beyond its size closes that socket with 1009 and harms no other", async () => {
    await using f = await serveRouter();
    const [bad, good] = await Promise.all([f.open(), f.open()]);
    const closed = closing(bad);
    bad.send(Buffer.alloc(10 * 1024 * 1024, "x").toString());
    expect((await closed).code).toBe(1009);
    good.send("x".repeat(DEFAULT_WEB_SOCKET_LIMITS.maxMessageBytes));
    expect(await next(good)).toHaveLength(DEFAULT_WEB_SOCKET_LIMITS.maxMessageBytes);
    await until(() => f.signalling.closed.length === 1);
    expect(f.signalling.closed).toEqual(["protocol"]);
  });

  test("a path may read larger messages than the others", async () => {
    await using f = await serveRouter({ maxMessageBytes: 1000 });
    f.router.handle({
      path: "/large",
      action: "mcp:connect",
      maxMessageBytes: 5000,
      connect: ({ send }) => ({ onText: text => void send(text), onClose: () => undefined }),
    });
    const [small, large] = await Promise.all([f.open(), f.open("/large")]);
    large.send("x".repeat(5000));
    expect(await next(large)).toHaveLength(5000);
    const closed = Promise.all([closing(small), closing(large)]);
    small.send("x".repeat(1001));
    large.send("x".repeat(5001));
    expect((await closed).map(({ code }) => code)).toEqual([1009, 1009]);
  });

  test("text that is not UTF-8 closes that socket with 1007", async () => {
    await using f = await serveRouter();
    const [bad, good] = await Promise.all([f.open(), f.open()]);
    const closed = closing(bad);
    bad.send(Buffer.from([0xc3, 0x28]), { binary: false });
    expect((await closed).code).toBe(1007);
    good.send("ü");
    expect(await next(good)).toBe("ü");
  });

  test("a binary message where text is spoken closes with 1003", async () => {
    await using f = await serveRouter();
    const socket = await f.open();
    const closed = closing(socket);
    socket.send(Buffer.from([1]));
    expect(await closed).toEqual({ code: 1003, reason: "only text frames are read here" });
  });

  test("bytes that are no frames end the socket and nothing else", async () => {
    await using f = await serveRouter();
    const good = await f.open();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 2, maxLength: 64 }), async bytes => {
        const socket = await f.open();
        // Unmasked frames are a protocol error (RFC 6455 section 5.1), and so is nearly everything else.
        const raw = (socket as unknown as { _socket: Socket })._socket;
        raw.write(bytes);
        raw.end();
        await once(socket, "close");
      }),
      { numRuns: 50 },
    );
    good.send("still here");
    expect(await next(good)).toBe("still here");
    await until(() => f.router.connections() === 1);
  });

  test("1,000 sockets that never speak are shed with a reason; those that spoke stay", async () => {
    await using f = await serveRouter();
    const speaker = await f.open();
    speaker.send("hello");
    await next(speaker);
    const silent: WebSocket[] = [];
    for (let i = 0; i < 20; i++)
      silent.push(...(await Promise.all(Array.from({ length: 50 }, async () => f.open()))));
    expect(f.router.connections()).toBe(1001);
    const closed = Promise.all(silent.map(closing));
    f.clock.advance(DEFAULT_WEB_SOCKET_LIMITS.firstMessageTimeoutMs);
    const reasons = new Set((await closed).map(({ code, reason }) => `${code} ${reason}`));
    expect([...reasons]).toEqual(["1008 nothing was sent within 30000 ms"]);
    await until(() => f.router.connections() === 1);
    expect(f.signalling.closed).toHaveLength(1000);
    speaker.send("still here");
    expect(await next(speaker)).toBe("still here");
    expect(await f.metricsText()).toContain('cidcast_ws_closed_total{cause="silent"} 1000');
  });

  test("sockets beyond the number are told to come again, and there is room when one goes", async () => {
    await using f = await serveRouter({ maxSockets: 2 });
    const [first] = await Promise.all([f.open(), f.open()]);
    expect(await refusal(f.port, "/webrtc")).toMatchObject({
      status: 503,
      code: "BUSY",
      headers: { "retry-after": "5" },
    });
    first.close();
    await until(() => f.router.connections() === 1);
    await f.open();
  });

  test("sockets of one address beyond its number are refused", async () => {
    await using f = await serveRouter({ maxSocketsPerAddress: 1 });
    const first = await f.open();
    expect(await refusal(f.port, "/webrtc")).toMatchObject({ status: 429, code: "LIMIT_REACHED" });
    first.terminate();
    await until(() => f.router.connections() === 0);
    await f.open();
  });

  test("a client that does not read what it is sent is cut off", async () => {
    await using f = await serveRouter({ maxOutgoingBytes: 64 * 1024 });
    let context: SocketContext | undefined;
    f.router.handle({
      path: "/flood",
      action: "events:subscribe",
      connect(given) {
        context = given;
        return { onText: () => undefined, onClose: () => undefined };
      },
    });
    const socket = await f.open("/flood");
    socket.pause();
    const chunk = new Uint8Array(64 * 1024);
    let sent = 0;
    while (context?.send(chunk) === true) {
      sent += 1;
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(sent).toBeLessThan(1000);
    await until(() => f.router.connections() === 0);
    expect(context?.send("x")).toBe(false);
    expect(await f.metricsText()).toContain('cidcast_ws_closed_total{cause="slow_reader"} 1');
    socket.terminate();
  });

  test("frames made beforehand go out between the others in order, and are held to the same bound", async () => {
    await using f = await serveRouter({ maxOutgoingBytes: 64 * 1024 });
    let context: SocketContext | undefined;
    let drained = 0;
    f.router.handle({
      path: "/frames",
      action: "events:subscribe",
      connect(given) {
        context = given;
        return {
          onText: () => undefined,
          onDrain: () => {
            drained += 1;
          },
          onClose: () => undefined,
        };
      },
    });
    const socket = await f.open("/frames");
    expect(context?.remoteAddress).toMatch(/127\.0\.0\.1$/);
    const got: string[] = [];
    socket.on("message", data => got.push((data as Buffer).toString()));
    context?.send("a");
    // Two text frames of one character, unmasked as a server sends them.
    expect(context?.sendFrames?.(Buffer.from([0x81, 1, 0x62, 0x81, 1, 0x63]))).toBe(true);
    context?.send("d");
    await until(() => got.length === 4);
    expect(got).toEqual(["a", "b", "c", "d"]);
    socket.pause();
    const frame = Buffer.concat([Buffer.from([0x82, 126, 0x80, 0x00]), Buffer.alloc(0x8000)]);
    while ((context?.bufferedBytes() ?? 0) < 48 * 1024) context?.sendFrames?.(frame);
    socket.resume();
    await until(() => drained > 0 && context?.bufferedBytes() === 0);
    socket.pause();
    while (context?.sendFrames?.(frame) === true) await new Promise(resolve => setImmediate(resolve));
    await until(() => f.router.connections() === 0);
    expect(await f.metricsText()).toContain('cidcast_ws_closed_total{cause="slow_reader"} 1');
    socket.terminate();
  });

  test("messages being handled are bounded: reading waits, and loses none", async () => {
    await using f = await serveRouter({ maxPendingMessages: 4 });
    const waiting: (() => void)[] = [];
    let most = 0;
    let running = 0;
    f.signalling.onReceive = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>(resolve => waiting.push(resolve));
      running -= 1;
    };
    const socket = await f.open();
    const got: string[] = [];
    socket.on("message", data => got.push((data as Buffer).toString()));
    for (let i = 0; i < 50; i++) socket.send(`${i}`);
    while (got.length < 50) {
      await new Promise(resolve => setImmediate(resolve));
      waiting.shift()?.();
    }
    expect(most).toBe(4);
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
  });

  test("a socket that answers no ping is ended, one that does stays", async () => {
    await using f = await serveRouter();
    const [dead, alive] = await Promise.all([f.open(), f.open()]);
    for (const socket of [dead, alive]) {
      socket.send("hello");
      await next(socket);
    }
    (dead as unknown as { _autoPong: boolean })._autoPong = false;
    const pinged = Promise.all([once(dead, "ping"), once(alive, "ping")]);
    f.clock.advance(DEFAULT_WEB_SOCKET_LIMITS.pingIntervalMs);
    await pinged;
    alive.send("x");
    await next(alive);
    const closed = closing(dead);
    f.clock.advance(DEFAULT_WEB_SOCKET_LIMITS.pingIntervalMs);
    expect((await closed).code).toBe(1006);
    expect(f.router.connections()).toBe(1);
  });
});

describe("ends", () => {
  test("a client that leaves, politely or not, is known to be gone", async () => {
    await using f = await serveRouter();
    const [polite, rude] = await Promise.all([f.open(), f.open()]);
    polite.close(1000, "bye");
    await until(() => f.signalling.closed.length === 1);
    rude.terminate();
    await until(() => f.signalling.closed.length === 2);
    expect(f.signalling.closed).toEqual(["client closed: 1000 bye", "client closed: 1006"]);
    expect(f.router.connections()).toBe(0);
  });

  test("a handler that fails ends its own socket only", async () => {
    await using f = await serveRouter();
    f.signalling.onReceive = text => {
      if (text === "bad") throw new Error("secret");
    };
    const [bad, good] = await Promise.all([f.open(), f.open()]);
    const closed = closing(bad);
    bad.send("bad");
    expect(await closed).toEqual({ code: 1011, reason: "internal error" });
    good.send("good");
    expect(await next(good)).toBe("good");
  });

  test("stop says goodbye, waits a bounded time for those who do not answer, and takes no more", async () => {
    const f = await serveRouter({ closeTimeoutMs: 50 });
    const [nice, stuck] = await Promise.all([f.open(), f.open()]);
    stuck.pause();
    const goodbye = closing(nice);
    await Promise.all([f.router.stop(), f.router.stop()]);
    expect(await goodbye).toEqual({ code: 1001, reason: "the node is stopping" });
    await until(() => f.signalling.closed.length === 2);
    const late = new WebSocket(`ws://127.0.0.1:${f.port}/webrtc`);
    const [error] = await once(late, "error");
    expect(String(error)).toMatch(/200|hang up/);
    stuck.terminate();
    await f[Symbol.asyncDispose]();
  });
});
