import { request } from "node:http";
import { connect } from "node:net";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { TestClient } from "../../sockets/socket-server.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";
import { makeTenant } from "./tenant-client.ts";

let served: ServedNode;
let token: string;
let tenantId: string;

beforeAll(async () => {
  served = await serveNode();
  ({ token, tenantId } = await made(["content:read", "content:write", "files", "basic"]));
});
afterAll(() => served?.[Symbol.asyncDispose]());

async function made(scopes: readonly string[], at = served) {
  const who = await makeTenant(at, scopes);
  return { ...who, revoke: () => at.node.tenancy!.revokeToken(who.tokenId) };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** A request as no browser and no fetch would send it: every header and the path as they stand. */
function send(init: {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly at?: ServedNode;
}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { method = "GET", path, headers = {}, body, at = served } = init;
  const sent = request({ host: "127.0.0.1", port: at.port, method, path, headers }, response => {
    const chunks: Buffer[] = [];
    response.on("data", chunk => chunks.push(chunk as Buffer));
    response.on("end", () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: Buffer.concat(chunks).toString(),
      }),
    );
    response.on("error", reject);
  });
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const echo = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "echo", arguments: { message: "said-by-the-node" } },
});

describe("a page that made its name point here", () => {
  const places = ["/mcp", "/mcp/", "/api/mcp/rpc/", "/mcp/tools/call", "/api/admin/tenants/"];

  test.each(places)("gets nothing of %s", async path => {
    for (const host of [
      "attacker.example",
      "attacker.example:8000",
      "127.0.0.1.attacker.example",
      "[::1].x",
    ]) {
      const answer = await send({ method: "POST", path, headers: { ...json, host }, body: echo });
      expect([host, answer.status, answer.body.includes("said-by-the-node")]).toEqual([host, 421, false]);
    }
  });

  test("nor does one that asks from elsewhere", async () => {
    for (const origin of ["http://attacker.example", "null", "https://127.0.0.1.attacker.example"]) {
      const answer = await send({ method: "POST", path: "/mcp", headers: { ...json, origin }, body: echo });
      expect([origin, answer.status]).toEqual([origin, 403]);
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }
    expect((await send({ method: "POST", path: "/mcp", headers: json, body: echo })).body).toContain(
      "said-by-the-node",
    );
  });

  test.each(["/ws/mcp/", "/ws/notifications", "/webrtc"])("opens no socket at %s", async path => {
    for (const headers of [{ host: "attacker.example" }, { origin: "http://attacker.example" }]) {
      const ws = new WebSocket(`${served.wsUrl}${path}?token=${token}&tenant_id=${tenantId}`, { headers });
      const { promise, resolve } = Promise.withResolvers<string>();
      ws.on("open", () => resolve("open"));
      ws.on("error", error => resolve(error.message));
      ws.on("unexpected-response", (_, response) => resolve(String(response.statusCode)));
      expect(["421", "403"]).toContain(await promise);
    }
  });
});

describe("a path that wants to leave its place", () => {
  test("of the gateway, the pages, the uploads and the API leads nowhere", async () => {
    const { cid } = await served.node.content.add(Readable.from([Buffer.from("x")]), { name: "x.txt" });
    const up = ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "....//", "%252e%252e%252f", "..%c0%af"];
    for (const step of up) {
      const climb = step.repeat(6);
      for (const path of [
        `/ipfs/${cid}/${climb}etc/passwd`,
        `/assets/${climb}package.json`,
        `/${climb}package.json`,
        `/api/v0/cat/${cid}/${climb}admin-key`,
        `/api/v0/uploads/${climb}admin-key`,
        `/play/${climb}admin-key`,
        `/api/v0/jobs/${climb}node.db`,
      ]) {
        const { status, body } = await send({ path });
        // 503: a checkout whose pages are not built.
        expect([path, status < 500 || status === 503]).toEqual([path, true]);
        expect(body).not.toMatch(/root:|"dependencies"|SQLite format/);
      }
    }
  });

  test("of a tenant's files is refused in every spelling", async () => {
    const adminKey = (await readFile(served.node.adminKeyFile, "utf8")).trim();
    for (const path of [
      "../../admin-key",
      "/etc/passwd",
      "a/../../admin-key",
      "..\\admin-key",
      "\0",
      "a\0/../b",
    ]) {
      const params = { name: "file_operations", arguments: { operation: "read", path } };
      const { body } = await send({
        method: "POST",
        path: "/api/mcp/rpc/",
        headers: { ...json, authorization: `Bearer ${token}`, "x-tenant-id": tenantId },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
      });
      expect(body).toContain('"isError":true');
      expect(body).not.toMatch(/root:/);
      expect(body).not.toContain(adminKey);
    }
  });
});

describe("text that wants to become a header", () => {
  test("stays a name, or is refused", async () => {
    const name = 'a\r\nSet-Cookie: b=1\r\n\r\n<script>"';
    const { cid } = await served.node.content.add(Readable.from([Buffer.from("x")]), { name });
    for (const path of [
      `/ipfs/${cid}?download=true&filename=${encodeURIComponent(name)}`,
      `/ipfs/${cid}?download=true`,
      `/ipfs/${cid}?format=raw&filename=${encodeURIComponent(name)}`,
      `/api/v0/cat/${cid}`,
      `/${encodeURIComponent("\r\nSet-Cookie: b=1")}`,
      `/player?content_cid=${encodeURIComponent("\r\nSet-Cookie: b=1")}`,
      `/webrtc/dashboard${encodeURIComponent("\r\nSet-Cookie: b=1")}`,
    ]) {
      const { headers, status } = await send({ path });
      expect([path, headers["set-cookie"], status < 500]).toEqual([path, undefined, true]);
    }
  });

  test("raw in a request is no request", async () => {
    const heard = await new Promise<string>(resolve => {
      const socket = connect(served.port, "127.0.0.1");
      let text = "";
      socket.on("data", chunk => (text += String(chunk)));
      socket.on("close", () => resolve(text));
      socket.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\rX-C: d\r\n\r\n");
      socket.write(
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
      );
      socket.end();
    });
    expect(heard).toContain("400");
    expect(heard).not.toContain("200 OK\r\nX-C");
  });
});

describe("a message that is a bomb", () => {
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  const wide = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${'"__proto__":{"x":1},'.repeat(50_000)}"a":1}}`;
  const packed = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  const owner = json;

  test("is refused by every door that takes JSON, and the node goes on", async () => {
    const paths = [
      "/mcp",
      "/api/mcp/rpc/",
      "/mcp/tools/call",
      "/api/v0/prepare",
      "/api/v0/webhooks",
      "/api/admin/tenants/",
    ];
    const headers = { ...owner, authorization: `Bearer ${token}`, "x-tenant-id": tenantId };
    for (const path of paths) {
      for (const body of [deep, wide]) {
        const { status } = await send({ method: "POST", path, headers, body });
        // JSON-RPC tells of it in an answer of its own.
        expect([path, status < 500]).toEqual([path, true]);
      }
      const zipped = { ...headers, "content-encoding": "gzip" };
      const { status, body } = await send({ method: "POST", path, headers: zipped, body: packed });
      expect([path, (status >= 400 && status < 500) || body.includes('"error"')]).toEqual([path, true]);
    }
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
    expect((await send({ path: "/healthz" })).status).toBe(200);
  });

  test("is refused by every socket that takes JSON", async () => {
    for (const path of ["/ws/mcp/", "/ws/notifications", "/webrtc", "/ws/signal/"]) {
      using client = await TestClient.open(
        `${served.wsUrl}${path}?token=${token}&tenant_id=${tenantId}&room=a`,
      );
      client.send(deep.slice(0, 100_000));
      client.send("[".repeat(100_000));
      client.ws.ping();
      const alive = new Promise<string>(resolve => client.ws.on("pong", () => resolve("alive")));
      const closed = client.closed.then(({ code }) => (code >= 1002 ? "closed" : `closed with ${code}`));
      expect(["alive", "closed"]).toContain(await Promise.race([alive, closed]));
    }
    expect((await send({ path: "/healthz" })).status).toBe(200);
  });
});

describe("who guesses tokens", () => {
  /** A node to itself: what one has guessed counts against its address. */
  const doors: readonly (readonly [string, (at: ServedNode, guess: string) => Promise<number>])[] = [
    [
      "a header over HTTP",
      async (at, guess) =>
        (await send({ at, path: "/api/v0/content", headers: { authorization: `Bearer ${guess}` } })).status,
    ],
    [
      "the query over HTTP",
      async (at, guess) => (await send({ at, path: `/api/v0/content?token=${guess}` })).status,
    ],
    [
      "/mcp",
      async (at, guess) =>
        (
          await send({
            at,
            method: "POST",
            path: "/mcp",
            headers: { ...json, authorization: `Bearer ${guess}` },
            body: echo,
          })
        ).status,
    ],
    [
      "JSON-RPC",
      async (at, guess) =>
        (
          await send({
            at,
            method: "POST",
            path: "/api/mcp/rpc/",
            headers: { ...json, authorization: `Bearer ${guess}`, "x-tenant-id": "t" },
            body: echo,
          })
        ).status,
    ],
    [
      "the admin API",
      async (at, guess) =>
        (await send({ at, path: "/api/admin/tenants/", headers: { "x-admin-key": guess } })).status,
    ],
  ];

  test.each(doors)("by %s is told to wait, right ones included", async (_, ask) => {
    await using at = await serveNode({ token: "the-token-of-the-guessed-node" });
    const statuses: number[] = [];
    for (let i = 0; i < 30; i++) statuses.push(await ask(at, `cct_${String(i).padStart(43, "x")}`));
    expect(statuses[0]).toBe(401);
    expect(statuses).toContain(429);
    expect(statuses.slice(statuses.indexOf(429)).every(status => status === 429)).toBe(true);
    const good = await made(["content:read"], at);
    expect(await ask(at, good.token)).toBe(429);
  });
});

describe("a token that has ended", () => {
  test("is refused wherever it is shown again", async () => {
    const ended = await made(["content:read", "content:write", "basic", "media", "events"]);
    const { cid } = await served.node
      .tenancy!.contentView(served.node.content, ended.tenantId)
      .add(Readable.from([Buffer.from("y")]));
    const principal = await served.node.tenancy!.resolveToken(ended.token, { door: "http" });
    const playback = await served.node.tenancy!.playback.create(principal, { cid, expiresInSeconds: 60 });
    expect((await send({ path: `/ipfs/${cid}?token=${playback.token}` })).status).toBe(200);
    await ended.revoke();
    const bearer = { ...json, authorization: `Bearer ${ended.token}`, "x-tenant-id": ended.tenantId };
    for (const [method, path] of [
      ["GET", "/api/v0/content"],
      ["GET", `/ipfs/${cid}`],
      ["POST", "/mcp"],
      ["POST", "/api/mcp/rpc/"],
      ["GET", "/api/mcp/tools/"],
      ["POST", "/mcp/tools/call"],
      ["GET", "/api/v0/events"],
      ["POST", `/whep/${cid}`],
    ] as const) {
      const { status } = await send({
        method,
        path,
        headers: bearer,
        ...(method === "POST" && { body: echo }),
      });
      expect([path, status]).toEqual([path, 401]);
    }
    expect((await send({ path: `/ipfs/${cid}?token=${playback.token}` })).status).toBe(401);
    using socket = await TestClient.open(
      `${served.wsUrl}/ws/mcp/?token=${ended.token}&tenant_id=${ended.tenantId}`,
    );
    expect((await socket.closed).code).toBe(4001);
  });
});
