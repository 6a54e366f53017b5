import { describe, expect, test } from "vitest";
import type { Action } from "../../core/index.ts";
import { CidcastError } from "../../core/index.ts";
import { ask, serve } from "../testing/serve.ts";

/** Every route and what it asks: a new one has to be written here by hand, with a decision. */
const EXPECTED: Readonly<Record<string, Action>> = {
  "GET /": "pages:read",
  "GET /console": "pages:read",
  "GET /play": "pages:read",
  "GET /play/*": "pages:read",
  "GET /assets/*": "pages:read",
  "GET /favicon.ico": "pages:read",
  "GET /player.js": "pages:read",
  "GET /ipfs/*": "content:read",
  "POST /api/v0/add": "content:add",
  "POST /api/v0/car": "content:add",
  "POST /api/v0/uploads": "content:add",
  "OPTIONS /api/v0/uploads": "content:add",
  "GET /api/v0/uploads/:id": "content:add",
  "PATCH /api/v0/uploads/:id": "content:add",
  "DELETE /api/v0/uploads/:id": "content:add",
  "OPTIONS /api/v0/uploads/:id": "content:add",
  "GET /api/v0/content": "content:list",
  "GET /api/v0/content/:cid": "content:list",
  "DELETE /api/v0/content/:cid": "content:remove",
  "GET /api/v0/cat/*": "content:read",
  "GET /api/v0/ls/*": "content:read",
  "GET /api/v0/stat/*": "content:read",
  "POST /api/v0/pin/:cid": "content:pin",
  "DELETE /api/v0/pin/:cid": "content:pin",
  "GET /api/v0/pins": "content:list",
  "POST /api/v0/gc": "node:admin",
  "GET /api/v0/probe/*": "media:probe",
  "POST /api/v0/prepare": "media:prepare",
  "GET /api/v0/jobs": "media:prepare",
  "GET /api/v0/jobs/:id": "media:prepare",
  "DELETE /api/v0/jobs/:id": "media:prepare",
  "GET /api/v0/captions/:cid": "media:play",
  "GET /api/v0/cues/:cid": "media:play",
  "PUT /api/v0/captions/:cid/:captions": "content:pin",
  "DELETE /api/v0/captions/:cid/:captions": "content:pin",
  "GET /api/v0/frame/:cid": "media:play",
  "GET /api/v0/why-stalled": "node:admin",
  "POST /api/v0/check": "node:admin",
  "GET /api/v0/why-stalled/:id": "node:admin",
  "GET /api/v0/poster/:cid": "media:play",
  "GET /api/v0/storyboard/:cid": "media:play",
  "GET /api/v0/storyboard/:cid/:sheet": "media:play",
  "GET /api/v0/id": "node:status",
  "GET /api/v0/version": "node:status",
  "GET /api/v0/status": "node:status",
  "GET /api/v0/peers": "peers:read",
  "GET /api/v0/stream": "content:read",
  "GET /api/v0/stream/media": "content:read",
  "GET /sse/stream/*": "content:read",
  "POST /api/v0/upload/stream": "content:add",
  "POST /api/v0/transfers": "transfer:start",
  "POST /api/v0/push": "transfer:start",
  "GET /api/v0/transfers": "transfer:start",
  "GET /api/v0/transfers/:id": "transfer:start",
  "POST /api/v0/transfers/:id/pause": "transfer:start",
  "POST /api/v0/transfers/:id/resume": "transfer:start",
  "DELETE /api/v0/transfers/:id": "transfer:start",
  "POST /api/v0/peers/connect": "peers:connect",
  "POST /api/v0/playback-tokens": "media:share",
  "GET /api/v0/playback-tokens": "media:share",
  "DELETE /api/v0/playback-tokens/:id": "media:share",
  "GET /api/v0/events": "events:subscribe",
  "POST /api/v0/shutdown": "node:admin",
  "POST /api/v0/webhooks": "node:admin",
  "GET /api/v0/webhooks": "node:admin",
  "DELETE /api/v0/webhooks/:id": "node:admin",
  "POST /api/v0/mcp/ipfs/add": "content:add",
  "POST /api/v0/mcp/ipfs/add/json": "content:add",
  "GET /api/v0/mcp/ipfs/version": "node:status",
  "GET /api/v0/mcp/ipfs/id": "node:status",
  "GET /api/v0/mcp/ipfs/stats": "node:status",
  "GET /api/v0/mcp/ipfs/cat/*": "content:read",
  "GET /api/v0/mcp/ipfs/get/*": "content:read",
  "POST /api/v0/mcp/ipfs/pin/add": "content:pin",
  "POST /api/v0/mcp/ipfs/pin/rm": "content:pin",
  "GET /api/v0/mcp/ipfs/pin/ls": "content:list",
  "POST /api/v0/mcp/ipfs/pin/ls": "content:list",
  "GET /api/v0/mcp/ipfs/swarm/peers": "peers:read",
  "POST /api/v0/mcp/ipfs/swarm/connect": "peers:connect",
  "POST /api/v0/mcp/webrtc/benchmark": "node:admin",
  "GET /api/v0/mcp/webrtc/benchmark/:id": "node:admin",
  "GET /api/v0/webrtc/dashboard": "pages:read",
  "GET /api/v0/webrtc/player": "pages:read",
  "GET /api/v0/webrtc/connections": "node:admin",
  "GET /api/v0/webrtc/connection/:id": "node:admin",
  "GET /api/v0/webrtc/operations": "node:admin",
  "GET /api/v0/webrtc/tasks": "node:admin",
  "POST /api/v0/webrtc/test_connection": "node:admin",
  "POST /api/v0/webrtc/stream": "node:admin",
  "POST /api/v0/webrtc/close/:id": "node:admin",
  "POST /api/v0/webrtc/close_all": "node:admin",
  "POST /api/v0/webrtc/quality/:id": "node:admin",
  "GET /api/v0/mcp/webrtc/check": "node:status",
  "POST /api/v0/mcp/webrtc/stream": "node:admin",
  "POST /api/v0/mcp/webrtc/stream/stop/:id": "node:admin",
  "GET /api/v0/mcp/webrtc/stats/resources": "node:admin",
  "GET /api/v0/mcp/webrtc/connections": "node:admin",
  "GET /api/v0/mcp/webrtc/connections/:id/stats": "node:admin",
  "POST /api/v0/mcp/webrtc/connections/quality": "node:admin",
  "POST /api/v0/mcp/webrtc/connections/:id/close": "node:admin",
  "POST /api/v0/mcp/webrtc/connections/close-all": "node:admin",
  "POST /whep/*": "media:play",
  "OPTIONS /whep/*": "media:play",
  "PATCH /whep/session/:id": "media:play",
  "DELETE /whep/session/:id": "media:play",
  "OPTIONS /whep/session/:id": "media:play",
  "GET /healthz": "node:health",
  "GET /readyz": "node:health",
  "GET /metrics": "node:metrics",
};
/** Addresses of media that name content. */
const CONTENT_MEDIA: ReadonlySet<string> = new Set([
  "/api/v0/probe/*",
  "/api/v0/captions/:cid",
  "/api/v0/cues/:cid",
  "/api/v0/frame/:cid",
  "/api/v0/poster/:cid",
  "/api/v0/storyboard/:cid",
  "/api/v0/storyboard/:cid/:sheet",
  "/whep/*",
]);
const DOCS = /^\/api\/docs(\/|$)/;

describe("authorisation", () => {
  test("every route asks for the action that was decided for it", async () => {
    await using server = await serve();
    const found: Record<string, string | undefined> = {};
    for (const { method, url, action } of server.http.routes()) {
      const key = `${method.replace("HEAD", "GET")} ${url}`;
      expect({ key, action }).toEqual({ key, action: DOCS.test(url) ? "pages:read" : EXPECTED[key] });
      if (!DOCS.test(url)) found[key] = action;
    }
    expect(found).toEqual(EXPECTED);
  });

  test("every route asks the authoriser before it does anything, and obeys", async () => {
    const asked: { action: Action; cid: string | undefined }[] = [];
    await using server = await serve(
      {},
      {
        authoriser: {
          authorise(_principal, action, resource) {
            asked.push({ action, cid: resource?.cid });
            throw new CidcastError("FORBIDDEN", "no");
          },
        },
      },
    );
    for (const { method, url, action } of server.http.routes()) {
      asked.length = 0;
      const path = url.replace(":cid", "bafycid").replace(":sheet", "0").replace("*", "bafycid");
      const answer = await ask(server, path, { method });
      expect([method, url, answer.status]).toEqual([method, url, 403]);
      const cid = action?.startsWith("content") === true && path.includes("bafycid") ? "bafycid" : undefined;
      expect(asked).toEqual([{ action, cid: CONTENT_MEDIA.has(url) ? "bafycid" : cid }]);
    }
    expect(server.shutdowns.count).toBe(0);
  });

  test("nobody is asked for what does not exist, and a wrong method is told apart", async () => {
    await using server = await serve();
    const nothing = await ask(server, "/api/v0/nothing");
    expect([nothing.status, nothing.json().error.code]).toEqual([404, "NOT_FOUND"]);
    const wrong = await ask(server, "/api/v0/content/x", { method: "PUT" });
    expect([wrong.status, wrong.json().error.code, wrong.headers.allow]).toEqual([
      405,
      "METHOD_NOT_ALLOWED",
      "DELETE, GET, HEAD",
    ]);
    expect((await ask(server, "/ipfs/x/y", { method: "POST" })).headers.allow).toBe("GET, HEAD");
  });
});
