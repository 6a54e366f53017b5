import { request } from "node:http";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { noMetrics, scopeAuthoriser, silentLogger, toCidcastError } from "../../core/index.ts";
import { FakeContent } from "../testing/fake-content.ts";
import { ask, serve, TEST_STATUS, type TestServer } from "../testing/serve.ts";
import { createHttpServer } from "../server.ts";
import type { HttpInit } from "../types.ts";

const TOKEN = "0123456789abcdef-token";

function create(init: Partial<HttpInit>) {
  return createHttpServer({ host: "127.0.0.1", port: 0, maxUploadBytes: 1, version: "0", ...init })({
    content: new FakeContent(),
    authoriser: scopeAuthoriser,
    log: silentLogger,
    metrics: noMetrics,
    renderMetrics: async () => ({ contentType: "text/plain", text: "" }),
    status: () => TEST_STATUS,
    webRoot: "/nonexistent",
    requestShutdown: () => undefined,
  });
}

describe("where it listens", () => {
  test.each(["0.0.0.0", "::", "192.168.1.5", "example.org"])(
    "%s without a token is refused and says why",
    host => {
      expect(() => create({ host })).toThrow(
        expect.objectContaining({ code: "INVALID_CONFIG", message: expect.stringContaining("--token") }),
      );
      expect(() => create({ host, token: TOKEN })).not.toThrow();
    },
  );

  test.each(["127.0.0.1", "127.9.9.9", "::1", "localhost"])("%s needs no token", host => {
    expect(() => create({ host })).not.toThrow();
  });

  test("settings that cannot be are refused", () => {
    for (const init of [
      { allowedHosts: ["http://x"] },
      { allowedHosts: ["*"] },
      { allowedHosts: ["*.example"] },
      { allowedHosts: ["..example"] },
      { corsOrigins: ["*"] },
      { corsOrigins: ["app.example"] },
      { corsOrigins: ["https://app.example/path"] },
    ]) {
      expect(() => create(init)).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }));
    }
  });

  test("a port that is taken has a code of its own", async () => {
    await using server = await serve();
    await expect(create({ port: server.port }).start()).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
  });
});

describe("Host", () => {
  test("names this machine or is refused: a name of somebody else's can point here", async () => {
    await using server = await serve({ allowedHosts: ["node.example", "other.example:8443"] });
    const statusOf = async (host: string) =>
      (await ask(server, "/api/v0/content", { headers: { host } })).status;
    const { port } = server;
    for (const host of [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `LOCALHOST:${port}`,
      `[::1]:${port}`,
      `localhost.:${port}`,
      "node.example",
      "node.example:1",
      "other.example:8443",
    ]) {
      expect([host, await statusOf(host)]).toEqual([host, 200]);
    }
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "localhost",
      "localhost:1",
      `127.0.0.1.evil.example:${port}`,
      `localhost@evil.example`,
      `localhost:${port}:1`,
      "other.example",
      `10.0.0.1:${port}`,
    ]) {
      expect([host, await statusOf(host)]).toEqual([host, 421]);
    }
  });

  test("may be a name and all below it, or, where a token is needed, any", async () => {
    const statusOf = async (server: Awaited<ReturnType<typeof serve>>, host: string) =>
      (await ask(server, "/healthz", { headers: { host } })).status;
    await using below = await serve({ allowedHosts: [".node.example", ".other.example:8443"] });
    for (const host of ["node.example", "a.node.example", "a.b.node.example:1", "x.other.example:8443"]) {
      expect([host, await statusOf(below, host)]).toEqual([host, 200]);
    }
    for (const host of ["evilnode.example", "node.example.evil", "x.other.example", "example"]) {
      expect([host, await statusOf(below, host)]).toEqual([host, 421]);
    }
    await using every = await serve({ allowedHosts: ["*"], token: TOKEN });
    expect(await statusOf(every, "anything.example:1")).toBe(200);
  });

  test("is asked for also of clients of the first days", async () => {
    await using server = await serve();
    const socket = connect(server.port, "127.0.0.1");
    socket.write("GET /healthz HTTP/1.0\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1.1 421 /);
  });

  test("is checked for pages, content and addresses that do not exist alike", async () => {
    await using server = await serve();
    for (const path of ["/", "/ipfs/x", "/healthz", "/nothing", "/api/docs/"]) {
      const answer = await ask(server, path, { headers: { host: "evil.example" } });
      expect([path, answer.status, answer.json().error.code]).toEqual([path, 421, "HOST_NOT_ALLOWED"]);
    }
  });

  test("may be any address when the node listens on all of them, but no name", async () => {
    await using server = await serve({ host: "0.0.0.0", token: TOKEN });
    const statusOf = async (host: string) => (await ask(server, "/healthz", { headers: { host } })).status;
    expect(await statusOf("192.168.7.7:8080")).toBe(200);
    expect(await statusOf("[fe80::1]:8000")).toBe(200);
    expect(await statusOf("evil.example")).toBe(421);
  });
});

describe("Origin", () => {
  const post = { method: "POST" } as const;

  test("of another site may change nothing", async () => {
    await using server = await serve();
    for (const origin of [
      "https://evil.example",
      "null",
      "http://localhost:5173",
      `http://127.0.0.1:${server.port}.evil.example`,
      "file://",
    ]) {
      const answer = await ask(server, "/api/v0/gc", { ...post, headers: { origin } });
      expect([origin, answer.status, answer.json().error.code]).toEqual([origin, 403, "ORIGIN_NOT_ALLOWED"]);
    }
  });

  test("is not needed by programs, and the node's own is welcome", async () => {
    await using server = await serve();
    expect((await ask(server, "/api/v0/gc", post)).status).toBe(200);
    const host = `127.0.0.1:${server.port}`;
    expect(
      (await ask(server, "/api/v0/gc", { ...post, headers: { host, origin: `http://${host}` } })).status,
    ).toBe(200);
  });

  test("does not help when the Host was made to point here", async () => {
    await using server = await serve();
    const headers = { host: "evil.example", origin: "http://evil.example" };
    expect((await ask(server, "/api/v0/gc", { ...post, headers })).status).toBe(421);
  });

  test("that is configured gets CORS, others get none and no preflight", async () => {
    await using server = await serve({ corsOrigins: ["https://app.example/"] });
    const origin = "https://app.example";
    const read = await ask(server, "/api/v0/content", { headers: { origin } });
    expect(read.headers).toMatchObject({ "access-control-allow-origin": origin, vary: "Origin" });
    expect((await ask(server, "/api/v0/gc", { ...post, headers: { origin } })).status).toBe(200);
    const preflight = { method: "OPTIONS", headers: { origin, "access-control-request-method": "DELETE" } };
    expect((await ask(server, "/api/v0/content/x", preflight)).status).toBe(204);
    const evil = { origin: "https://evil.example", "access-control-request-method": "DELETE" };
    expect((await ask(server, "/api/v0/content/x", { method: "OPTIONS", headers: evil })).status).toBe(403);
    const other = await ask(server, "/api/v0/content", { headers: { origin: "https://evil.example" } });
    expect(other.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("of any site may read content by its CID, and ask for ranges of it", async () => {
    await using server = await serve();
    const cid = server.content.putFile("x");
    const origin = "https://any.example";
    const answer = await ask(server, `/ipfs/${cid}`, { headers: { origin } });
    expect(answer.headers["access-control-allow-origin"]).toBe("*");
    const preflight = await ask(server, `/ipfs/${cid}`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "GET", "access-control-request-headers": "range" },
    });
    expect([preflight.status, preflight.headers["access-control-allow-methods"]]).toEqual([
      204,
      "GET, HEAD, OPTIONS",
    ]);
  });
});

describe("token", () => {
  test("opens everything, in a header or the query; without it only pages and health are served", async () => {
    await using server = await serve({ token: TOKEN });
    const status = async (path: string, authorization?: string) =>
      (await ask(server, path, { ...(authorization !== undefined && { headers: { authorization } }) }))
        .status;
    expect(await status("/api/v0/content")).toBe(401);
    expect(await status("/api/v0/content", `Bearer ${TOKEN}`)).toBe(200);
    expect(await status("/api/v0/content", `bearer ${TOKEN}`)).toBe(200);
    expect(await status(`/api/v0/content?token=${TOKEN}&limit=1`)).toBe(200);
    for (const wrong of [`Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, "Bearer", `Basic ${TOKEN}`, TOKEN]) {
      expect(await status("/api/v0/content", wrong)).toBe(401);
    }
    expect(await status("/healthz")).toBe(200);
    expect(await status("/metrics")).toBe(401);
    expect(await status("/play/x")).toBe(503);
    expect((await ask(server, "/api/v0/content")).headers["www-authenticate"]).toContain("Bearer");
  });

  test("the status behind `/` needs it although the page does not", async () => {
    await using server = await serve({ token: TOKEN });
    expect((await ask(server, "/", { headers: { accept: "application/json" } })).status).toBe(401);
  });

  test("content that needed it is not for shared caches", async () => {
    await using server = await serve({ token: TOKEN });
    const cid = server.content.putFile("x");
    const answer = await ask(server, `/ipfs/${cid}?token=${TOKEN}`);
    expect(answer.headers["cache-control"]).toBe("private, max-age=29030400, immutable");
  });

  test("is never logged", async () => {
    const lines: string[] = [];
    const note = (fields: object, message: string): void => {
      lines.push(JSON.stringify(fields) + message);
    };
    const log = { trace: note, debug: note, info: note, warn: note, error: note, child: () => log };
    await using server = await serve({ token: TOKEN }, { log });
    await ask(server, `/api/v0/content?token=${TOKEN}`);
    await ask(server, `/api/v0/nothing?token=${TOKEN}`);
    await ask(server, "/api/v0/content", { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(lines.join("")).toContain("/api/v0/content");
    expect(lines.join("")).not.toContain(TOKEN);
  });
});

describe("WebSocket upgrades", () => {
  /** What the door says to an upgrade with these headers: the principal's kind, or the code of the refusal. */
  async function upgrade(
    server: TestServer,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    server.http.server.once("upgrade", (request, socket) => {
      server.http
        .admitUpgrade(request)
        .then(
          principal => resolve(principal.kind),
          (error: unknown) => resolve(toCidcastError(error).code),
        )
        .finally(() => socket.destroy());
    });
    const client = request({
      host: "127.0.0.1",
      port: server.port,
      path,
      headers: { connection: "upgrade", upgrade: "websocket", ...headers },
    });
    client.on("error", () => undefined);
    client.end();
    return promise;
  }

  test("are for this host and its own pages, or programs", async () => {
    await using server = await serve({ corsOrigins: ["https://app.example"] });
    const host = `localhost:${server.port}`;
    expect(await upgrade(server, "/ws", {})).toBe("local");
    expect(await upgrade(server, "/ws", { host, origin: `http://${host}` })).toBe("local");
    expect(await upgrade(server, "/ws", { host, origin: "https://app.example" })).toBe("local");
    expect(await upgrade(server, "/ws", { host, origin: "https://evil.example" })).toBe("ORIGIN_NOT_ALLOWED");
    expect(await upgrade(server, "/ws", { host, origin: "null" })).toBe("ORIGIN_NOT_ALLOWED");
    const rebound = { host: "evil.example", origin: "http://evil.example" };
    expect(await upgrade(server, "/ws", rebound)).toBe("HOST_NOT_ALLOWED");
  });

  test("show the token in the query or a header", async () => {
    await using server = await serve({ token: TOKEN });
    expect(await upgrade(server, "/ws", {})).toBe("anonymous");
    expect(await upgrade(server, `/ws?token=${TOKEN}`, {})).toBe("token");
    expect(await upgrade(server, "/ws", { authorization: `Bearer ${TOKEN}` })).toBe("token");
  });

  test("to another protocol are passed over and the request is answered", async () => {
    await using server = await serve();
    const answer = await ask(server, "/healthz", { headers: { connection: "upgrade", upgrade: "h2c" } });
    expect(answer.status).toBe(200);
  });
});
