import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { silentLogger } from "../../core/index.ts";
import { ask, serve, type TestServer } from "../testing/serve.ts";
import type { MountedRoute } from "./mounted.ts";

/** Speaks to the server in plain bytes; resolves with all that came back once it hung up. */
async function raw(server: TestServer, talk: (socket: Socket) => void): Promise<string> {
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  let text = "";
  socket.on("data", chunk => {
    text += String(chunk);
  });
  socket.on("error", () => undefined);
  talk(socket);
  if (!socket.closed) await once(socket, "close");
  return text;
}

const head = (server: TestServer, line: string, ...headers: string[]) =>
  [line, `Host: 127.0.0.1:${server.port}`, ...headers, "", ""].join("\r\n");
const codeOf = (text: string) => JSON.parse(text.slice(text.indexOf("\r\n\r\n"))).error.code;

describe("limits", () => {
  test("an address beyond its length is refused", async () => {
    await using server = await serve({ limits: { maxUrlLength: 100 } });
    const answer = await ask(server, `/${"x".repeat(100)}`);
    expect([answer.status, answer.json().error.code]).toEqual([414, "URL_TOO_LONG"]);
    expect((await ask(server, `/${"x".repeat(99)}`)).status).toBe(404);
  });

  test("event streams have a number, and a place that is given back", async () => {
    const events = {
      async *sse(_principal: unknown, { signal }: { readonly signal?: AbortSignal | undefined }) {
        yield "event: welcome\n\n";
        if (signal !== undefined && !signal.aborted) await once(signal, "abort");
      },
    };
    await using server = await serve({ limits: { maxEventStreams: 1 } }, { events });
    const open = () => fetch(`${server.url}/api/v0/events`);
    const full = { error: { code: "BUSY" } };
    const first = await open();
    expect(first.headers.get("x-content-type-options")).toBe("nosniff");
    const second = await open();
    expect(second.status).toBe(503);
    expect(await second.json()).toMatchObject(full);
    await first.body?.cancel();
    let third = await open();
    while (third.status === 503) third = await open();
    expect(await third.body?.getReader().read()).toMatchObject({ done: false });
  });

  test("header fields beyond their size are refused with a code", async () => {
    await using server = await serve({ limits: { maxHeaderBytes: 4096 } });
    const text = await raw(server, socket => {
      socket.write(head(server, "GET / HTTP/1.1", `X: ${"x".repeat(5000)}`));
    });
    expect(text).toMatch(/^HTTP\/1.1 431 /);
    expect(codeOf(text)).toBe("HEADERS_TOO_LARGE");
  });

  test("a header that does not arrive ends the connection", async () => {
    await using server = await serve({ limits: { headersTimeoutMs: 100 } });
    const text = await raw(server, socket => {
      socket.write("GET / HTTP/1.1\r\nHost: ");
    });
    expect(text).toMatch(/^HTTP\/1.1 408 /);
    expect(codeOf(text)).toBe("REQUEST_TIMEOUT");
  });

  test("a connection on which nothing is asked is closed", async () => {
    await using server = await serve({ limits: { headersTimeoutMs: 100 } });
    expect(await raw(server, () => undefined)).toMatch(/^(HTTP\/1.1 408 |$)/);
  });

  test("a connection is kept for the next request, for its time", async () => {
    await using server = await serve({ limits: { keepAliveMs: 100 } });
    const text = await raw(server, socket => {
      socket.write(head(server, "GET /healthz HTTP/1.1"));
      socket.write(head(server, "GET /healthz HTTP/1.1"));
    });
    expect(text.match(/HTTP\/1.1 200 /g)).toHaveLength(2);
  });

  test("what is not HTTP is told so", async () => {
    await using server = await serve();
    const text = await raw(server, socket => {
      socket.write("hello\r\n\r\n");
    });
    expect(codeOf(text)).toBe("INVALID_REQUEST");
  });

  test("a JSON body beyond its size is refused, declared or not", async () => {
    await using server = await serve({ limits: { maxJsonBytes: 100 } });
    const body = JSON.stringify({ address: "x".repeat(100) });
    const declared = await ask(server, "/api/v0/peers/connect", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    expect([declared.status, declared.json().error.code]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    const text = await raw(server, socket => {
      const size = body.length.toString(16);
      const headers = ["Content-Type: application/json", "Transfer-Encoding: chunked"];
      socket.write(
        `${head(server, "POST /api/v0/peers/connect HTTP/1.1", ...headers)}${size}\r\n${body}\r\n`,
      );
    });
    expect(text).toMatch(/^HTTP\/1.1 413 /);
  });

  test.each(["/api/v0/peers/connect", "/api/v0/add"])(
    "a body to %s that does not come is given up",
    async path => {
      await using server = await serve({ limits: { bodyGraceMs: 200, lingerMs: 20 } });
      const text = await raw(server, socket => {
        socket.write(
          `${head(server, `POST ${path} HTTP/1.1`, "Content-Type: application/json", "Content-Length: 1000")}{`,
        );
      });
      expect(text).toMatch(/^HTTP\/1.1 408 /);
      expect(codeOf(text)).toBe("REQUEST_TIMEOUT");
      expect(server.content.records.size).toBe(0);
    },
  );

  test.each(["/raw", "/answers"])("a body to the mounted %s that does not come is given up", async path => {
    let read: string | undefined;
    const mounted: MountedRoute[] = [
      {
        paths: ["/raw"],
        action: "mcp:connect",
        methods: ["POST"],
        async serve(incoming, outgoing) {
          for await (const chunk of incoming) read = String(chunk);
          outgoing.end();
        },
      },
      {
        paths: ["/answers"],
        action: "mcp:connect",
        method: "POST",
        summary: "answers",
        maxBodyBytes: 2000,
        async handle({ body }) {
          read = body;
          return { status: 200, body: {} };
        },
      },
    ];
    await using server = await serve({ limits: { bodyGraceMs: 200, lingerMs: 20 } }, { mounted });
    const slow = await raw(server, socket => {
      socket.write(`${head(server, `POST ${path} HTTP/1.1`, "Content-Length: 1000")}{`);
    });
    // A route that speaks HTTP itself is cut off; the other says why.
    expect(slow).toMatch(path === "/raw" ? /^$/ : /^HTTP\/1.1 408 [^]*"REQUEST_TIMEOUT"/);
    expect(read).toBe(path === "/raw" ? "{" : undefined);
    expect((await ask(server, path, { method: "POST", body: "{}" })).status).toBe(200);
    expect(read).toBe("{}");
  });

  test("a body that keeps its pace is waited for longer than the grace", async () => {
    await using server = await serve({ limits: { bodyGraceMs: 200, minBodyBytesPerSecond: 10 } });
    let bytes = 0;
    const text = await raw(server, socket => {
      socket.write(head(server, "POST /api/v0/add HTTP/1.1", "Content-Length: 25", "Connection: close"));
      const timer = setInterval(() => {
        bytes += 1;
        socket.write("x");
        if (bytes === 25) clearInterval(timer);
      }, 20);
    });
    expect(text).toMatch(/^HTTP\/1.1 200 /);
  });

  test("requests beyond the number are told to come again, health is not", async () => {
    await using server = await serve({ limits: { maxConcurrentRequests: 2 } });
    const lost = server.content.putFile("lost");
    server.content.searching.add(lost);
    const waiting = [0, 1].map(() =>
      request({ port: server.port, host: "127.0.0.1", path: `/ipfs/${lost}` }),
    );
    for (const one of waiting) {
      one.on("error", () => undefined);
      one.end();
    }
    while (!(await server.metricsText()).includes("cidcast_http_requests_in_flight 2")) {
      await new Promise(resolve => setImmediate(resolve));
    }
    const answer = await ask(server, "/api/v0/content");
    expect([answer.status, answer.json().error.code, answer.headers["retry-after"]]).toEqual([
      503,
      "BUSY",
      "1",
    ]);
    expect((await ask(server, "/healthz")).status).toBe(200);
    for (const one of waiting) one.destroy();
    while (!(await server.metricsText()).includes("cidcast_http_requests_in_flight 0")) {
      await new Promise(resolve => setImmediate(resolve));
    }
    expect((await ask(server, "/api/v0/content")).status).toBe(200);
    expect(await server.metricsText()).toContain('cidcast_http_refused_total{reason="BUSY"} 1');
  });

  test("connections beyond the number are dropped, and there is room again when one goes", async () => {
    await using server = await serve({ limits: { maxConnections: 2 } });
    const kept = [0, 1].map(() => connect(server.port, "127.0.0.1"));
    await Promise.all(kept.map(async socket => once(socket, "connect")));
    while ((await connections(server)) < 2) await new Promise(resolve => setImmediate(resolve));
    await expect(ask(server, "/healthz")).rejects.toThrow(/socket hang up|ECONNRESET/);
    kept[0]?.destroy();
    while ((await connections(server)) > 1) await new Promise(resolve => setImmediate(resolve));
    expect((await ask(server, "/healthz")).status).toBe(200);
    kept[1]?.destroy();
  });

  test("an answer that nobody reads ends with its connection, and lets the file go", async () => {
    await using server = await serve({ limits: { unreadAnswerMs: 200 } });
    const cid = server.content.putFile(new Uint8Array(64 * 1024 * 1024));
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.pause();
    socket.on("error", () => undefined);
    socket.write(head(server, `GET /ipfs/${cid} HTTP/1.1`));
    while (server.content.holds === 0) await new Promise(resolve => setImmediate(resolve));
    while (server.content.holds > 0 || server.content.openFiles > 0) {
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(server.content.streamedBytes).toBeLessThan(32 * 1024 * 1024);
    socket.destroy();
  });

  test.each(["/ipfs/", "/api/v0/cat/"])(
    "a client of %s that goes away lets the file go, and nobody is alarmed",
    async path => {
      const logged: string[] = [];
      const note = (_fields: object, message: string): void => void logged.push(message);
      const log = { ...silentLogger, warn: note, error: note, child: () => log };
      await using server = await serve({}, { log });
      const cid = server.content.putFile(new Uint8Array(64 * 1024 * 1024));
      const client = request({ port: server.port, host: "127.0.0.1", path: `${path}${cid}` });
      client.on("error", () => undefined);
      client.end();
      const [response] = await once(client, "response");
      await once(response, "readable");
      expect(server.content.holds).toBe(1);
      client.destroy();
      while (server.content.holds > 0 || server.content.openFiles > 0) {
        await new Promise(resolve => setImmediate(resolve));
      }
      expect(server.content.streamedBytes).toBeLessThan(64 * 1024 * 1024);
      await server.http.stop();
      expect(logged).toEqual([]);
    },
  );
});

async function connections(server: TestServer): Promise<number> {
  return new Promise((resolve, reject) => {
    server.http.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

describe("stop", () => {
  test("closes idle connections at once and running ones after the grace", async () => {
    const server = await serve({ limits: { stopGraceMs: 50 } });
    const lost = server.content.putFile("lost");
    server.content.searching.add(lost);
    const idle = connect(server.port, "127.0.0.1");
    await once(idle, "connect");
    const running = raw(server, socket => {
      socket.write(head(server, `GET /ipfs/${lost} HTTP/1.1`));
    });
    while (!(await server.metricsText()).includes("cidcast_http_requests_in_flight 1")) {
      await new Promise(resolve => setImmediate(resolve));
    }
    const idleClosed = once(idle.resume(), "close");
    await Promise.all([server.http.stop(), server.http.stop(), idleClosed]);
    expect(await running).toBe("");
    await expect(ask(server, "/healthz")).rejects.toThrow(/ECONNREFUSED/);
    await server[Symbol.asyncDispose]();
  });

  test("before start, and after a start that failed, is nothing to do", async () => {
    await using server = await serve();
    const second = serve({ port: server.port });
    await expect(second).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
  });
});
