import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ask } from "../../../src/http/testing/serve.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

const TOKEN = "the-token-of-this-test-node";
/** What anybody may see: the pages' own code, and whether the node is well. */
const OPEN = new Set(["pages:read", "node:health"]);

/** How an upgrade ends: `open`, the close code of a socket that was refused after its handshake, or the code of the refusal. */
async function upgrade(
  served: ServedNode,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string | number> {
  const socket = new WebSocket(`${served.wsUrl}${path}`, { headers });
  socket.on("error", () => undefined);
  const refused = once(socket, "unexpected-response").then(async ([, response]) => {
    let text = "";
    for await (const chunk of response) text += (chunk as Buffer).toString();
    return JSON.parse(text).error.code as string;
  });
  const opened = once(socket, "open").then(async () => {
    // A refusal after the handshake comes before the answer to a ping.
    const closed = once(socket, "close").then(([code]) => code as number);
    socket.ping();
    return Promise.race([closed, once(socket, "pong").then(() => "open")]);
  });
  const result = await Promise.race([refused, opened]);
  socket.terminate();
  return result;
}

/** An address of a route: sheets are numbers, everything else is a text. */
const concrete = (url: string): string =>
  url.replace(":sheet", "0").replaceAll(/:\w+/g, "x").replace("*", "x");

describe("every address of a node", () => {
  test("has an action that was decided for it", async () => {
    await using served = await serveNode();
    const { http, sockets } = served.node.routes();
    expect(http.length).toBeGreaterThan(60);
    expect(http.filter(({ action }) => action === undefined)).toEqual([]);
    expect(sockets.map(({ path }) => path.replace(/(.)\/$/, "$1"))).toEqual(
      expect.arrayContaining([
        "/webrtc",
        "/ws/webrtc",
        "/mcp/webrtc/ws",
        "/ws",
        "/ws/notifications",
        "/api/v0/notifications/ws",
        "/ws/content",
        "/ws/status",
        "/ws/signal",
        "/ws/signaling",
        "/signaling",
        "/ws/mcp",
      ]),
    );
    for (const { action } of sockets) expect(action).toMatch(/^[a-z]+:[a-z]+$/);
  });

  test("is closed to who shows no token, but for pages and health", async () => {
    await using served = await serveNode({ token: TOKEN });
    const { http, sockets } = served.node.routes();
    for (const { method, url, action } of http) {
      if (OPEN.has(action ?? "")) continue;
      const answer = await ask(served, concrete(url), { method });
      expect([method, url, answer.status]).toEqual([method, url, 401]);
    }
    for (const { path } of sockets) {
      // Blocks are for programs, which read the answer; pages are told after the handshake.
      const expected = path.startsWith("/ws/content") ? "UNAUTHENTICATED" : 4001;
      expect([path, await upgrade(served, path)]).toEqual([path, expected]);
      const wrong = { authorization: "Bearer not-the-token-of-this-node" };
      expect([path, await upgrade(served, path, wrong)]).toEqual([path, expected]);
    }
  });

  test("opens its sockets to the token", async () => {
    await using served = await serveNode({ token: TOKEN, webrtc: { enabled: true } });
    for (const { path } of served.node.routes().sockets) {
      expect([path, await upgrade(served, `${path}?token=${TOKEN}`)]).toEqual([path, "open"]);
    }
  });
});

describe("a page of somebody else", () => {
  test("that points its name at this node learns nothing, at any address", async () => {
    await using served = await serveNode();
    const { http, sockets } = served.node.routes();
    const host = `evil.example:${served.port}`;
    for (const { method, url } of http) {
      const answer = await ask(served, concrete(url), { method, headers: { host } });
      expect([method, url, answer.status]).toEqual([method, url, 421]);
    }
    for (const { path } of [...sockets, { path: "/nothing" }]) {
      const headers = { host, origin: `http://${host}` };
      expect([path, await upgrade(served, path, headers)]).toEqual([path, "HOST_NOT_ALLOWED"]);
    }
  });

  test("changes nothing and opens no socket through its visitor's browser", async () => {
    await using served = await serveNode();
    const { http, sockets } = served.node.routes();
    const origin = "https://evil.example";
    const changing = http.filter(({ method }) => !["GET", "HEAD", "OPTIONS"].includes(method));
    expect(changing.length).toBeGreaterThan(10);
    for (const { method, url } of changing) {
      for (const from of [origin, "null"]) {
        const answer = await ask(served, concrete(url), { method, headers: { origin: from } });
        expect([method, url, answer.status, answer.json().error.code]).toEqual([
          method,
          url,
          403,
          "ORIGIN_NOT_ALLOWED",
        ]);
      }
    }
    for (const { path } of [...sockets, { path: "/nothing" }]) {
      expect([path, await upgrade(served, path, { origin })]).toEqual([path, "ORIGIN_NOT_ALLOWED"]);
    }
    expect((await ask(served, "/healthz")).status).toBe(200);
  });

  test("reads no answer that is not public content", async () => {
    await using served = await serveNode();
    const origin = "https://evil.example";
    for (const { method, url } of served.node.routes().http) {
      if (method !== "GET" || url.startsWith("/ipfs/") || url === "/api/v0/events") continue;
      if (url === "/mcp" || url === "/mcp/") continue;
      const answer = await ask(served, concrete(url), { headers: { origin } });
      expect([url, answer.headers["access-control-allow-origin"]]).toEqual([url, undefined]);
    }
  });

  test("that is configured may do what the node's own pages do", async () => {
    const origin = "https://app.example";
    await using served = await serveNode({ corsOrigins: [origin] });
    expect(await upgrade(served, "/ws/notifications", { origin })).toBe("open");
    const added = await ask(served, "/api/v0/add", { method: "POST", body: "x", headers: { origin } });
    expect([added.status, added.headers["access-control-allow-origin"]]).toEqual([200, origin]);
  });
});
