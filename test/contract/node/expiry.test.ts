import { createReadStream } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestClient } from "../../sockets/socket-server.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

const SAMPLE = new URL("../../../samples/sample-720p.mp4", import.meta.url);
const DAY_MS = 86_400_000;
/** Tokens are made to last so long; when a busy machine needs longer to begin everything, twice that. */
const FIRST_SECONDS = 3;
const MAX_SECONDS = 48;
/** Bounds of time are held where somebody asks for them, on a machine that does nothing else. */
const BOUND_MS = process.env["CIDCAST_TEST_BOUNDS"] === "1" ? 1000 : Infinity;

let served: ServedNode;
let tenantId: string;
let cid: string;
let large: string;

beforeAll(async () => {
  served = await serveNode({ webrtc: { enabled: true } });
  const { tenancy, content } = served.node;
  ({ id: tenantId } = await tenancy!.tenants.create({ name: "acme" }));
  const view = tenancy!.contentView(content, tenantId);
  ({ cid } = await view.add(createReadStream(SAMPLE), { name: "sample.mp4" }));
  const zeros = async function* () {
    for (let i = 0; i < 40; i++) yield new Uint8Array(1024 * 1024);
  };
  ({ cid: large } = await view.add(zeros()));
});
afterAll(() => served?.[Symbol.asyncDispose]());

/** Everything a token can hold open, begun with one; each resolves to how it ended. */
async function begun(token: string) {
  const query = `token=${token}`;
  const authorization = `Bearer ${token}`;
  const stack = new DisposableStack();
  const viewer = stack.use(await TestClient.open(`${served.wsUrl}/webrtc?${query}`));
  viewer.send({ type: "offer_request", cid });
  const { pc_id: id } = await viewer.until(frame => frame["type"] === "offer");
  const events = stack.use(await TestClient.open(`${served.wsUrl}/ws/notifications?${query}`));
  await events.next();
  events.send({ action: "subscribe", notification_types: ["all_events"], filters: {} });
  await events.until(frame => frame["type"] === "subscription_confirmed");
  const room = stack.use(await TestClient.open(`${served.wsUrl}/ws/signal/?room=a&${query}`));
  const mcp = stack.use(await TestClient.open(`${served.wsUrl}/ws/mcp/?${query}&tenant_id=${tenantId}`));
  mcp.send({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
  });
  await mcp.until(frame => frame["id"] === 1);
  mcp.send({ jsonrpc: "2.0", id: 2, method: "resources/subscribe", params: { uri: `ipfs://${cid}` } });
  await mcp.until(frame => frame["id"] === 2);
  const sse = await fetch(`${served.url}/api/v0/events`, { headers: { authorization } });
  const download = await fetch(`${served.url}/ipfs/${large}`, { headers: { authorization } });
  const reader = download.body!.getReader();
  expect([sse.status, download.status, (await reader.read()).done]).toEqual([200, 200, false]);
  const drained = async (body: ReadableStreamDefaultReader<Uint8Array>): Promise<string> => {
    try {
      while (!(await body.read()).done);
      return "ended";
    } catch {
      return "cut off";
    }
  };
  return {
    stack,
    id: String(id),
    ends: {
      signalling: viewer.closed.then(({ code }) => code),
      notifications: events.closed.then(({ code }) => code),
      room: room.closed.then(({ code }) => code),
      mcp: mcp.closed.then(({ code }) => code),
      events: drained(sse.body!.getReader()),
      // Not read on: what is left waits in the node until the token ends.
      download: () => drained(reader),
    },
  };
}

test("what a token began ends when the token expires: media, sockets, streams and subscriptions", async () => {
  const { tenancy, webrtc } = served.node;
  for (let seconds = FIRST_SECONDS; ; seconds *= 2) {
    const scopes = ["content:read", "content:write", "media", "events"];
    const made = await tenancy!.tokens.create({ tenantId, scopes, expiresInDays: (seconds * 1000) / DAY_MS });
    const expiresAtMs = made.expiresAtMs ?? 0;
    const attempt = await begun(made.token).catch((error: unknown) => {
      if (Date.now() < expiresAtMs || seconds >= MAX_SECONDS) throw error;
      return undefined;
    });
    if (attempt === undefined) continue;
    using _stack = attempt.stack;
    const { ends, id } = attempt;
    if (Date.now() >= expiresAtMs && seconds < MAX_SECONDS) continue;
    expect(webrtc!.session(id)).toBeDefined();
    const { download, ...waited } = ends;
    const codes = Object.fromEntries(
      await Promise.all(Object.entries(waited).map(async ([name, end]) => [name, await end] as const)),
    );
    const lateMs = Date.now() - expiresAtMs;
    expect(codes).toMatchObject({ signalling: 4001, notifications: 4001, room: 4001, mcp: 4001 });
    expect(["ended", "cut off"]).toContain(codes["events"]);
    expect(await download()).toBe("cut off");
    await expect.poll(() => webrtc!.session(id)).toBeUndefined();
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThan(BOUND_MS);
    const again = await fetch(`${served.url}/api/v0/stat/${cid}?token=${made.token}`);
    expect(again.status).toBe(401);
    return;
  }
});
