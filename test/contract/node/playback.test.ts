import { attenuatePlaybackToken } from "@cidcast/protocols/playback";
import { createReadStream } from "node:fs";
import { describe, expect, test } from "vitest";
import { run } from "../../../src/cli/testing/run.ts";
import { TestClient } from "../../sockets/socket-server.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

const SAMPLE = new URL("../../../samples/sample-720p.mp4", import.meta.url);
const TOKEN = "the-token-of-this-test-node";

/** A node that wants a token, with a clip and something else. */
async function served(): Promise<{ node: ServedNode; cid: string; other: string }> {
  const node = await serveNode({ token: TOKEN, webrtc: { enabled: true } });
  const { cid } = await node.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" });
  const bytes = async function* () {
    yield Buffer.from("something else");
  };
  return { node, cid, other: (await node.node.content.add(bytes())).cid };
}

async function api(node: ServedNode, method: string, path: string, token: string, body?: unknown) {
  const response = await fetch(`${node.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const json = response.headers.get("content-type")?.startsWith("application/json") === true;
  // Answers of every shape are looked at.
  // oxlint-disable-next-line typescript/no-explicit-any
  return { status: response.status, body: json ? ((await response.json()) as any) : await response.bytes() };
}

describe("a playback token", () => {
  test("plays its content over signalling, WHEP and HTTP, and opens nothing else", async () => {
    const { node, cid, other } = await served();
    await using _node = node;
    const made = await api(node, "POST", "/api/v0/playback-tokens", TOKEN, { cid });
    expect([made.status, made.body]).toEqual([201, expect.objectContaining({ cid, active: true })]);
    const { token } = made.body;
    const none = await api(node, "POST", "/api/v0/playback-tokens", TOKEN, { cid: "xyz" });
    expect([none.status, none.body.error.code]).toEqual([400, "INVALID_CID"]);

    using client = await TestClient.open(`${node.wsUrl}/webrtc?token=${token}`);
    client.send({ type: "offer_request", cid });
    expect(await client.next()).toMatchObject({ type: "offer", sdp: expect.stringContaining("v=0") });
    client.send({ type: "offer_request", cid: other });
    expect(await client.next()).toMatchObject({ type: "error", code: "FORBIDDEN" });

    for (const [method, path, status] of [
      ["GET", `/ipfs/${cid}`, 200],
      ["GET", `/api/v0/probe/${cid}`, 200],
      ["GET", `/api/v0/cat/${cid}`, 200],
      ["GET", `/ipfs/${other}`, 403],
      ["GET", `/api/v0/stat/${other}`, 403],
      ["POST", `/whep/${other}`, 403],
      ["GET", "/api/v0/content", 403],
      ["GET", `/api/v0/content/${cid}`, 403],
      ["DELETE", `/api/v0/content/${cid}`, 403],
      ["GET", "/api/v0/playback-tokens", 403],
      ["GET", "/api/v0/status", 403],
      ["POST", "/mcp", 401],
      ["GET", "/api/mcp/tools", 401],
      // Allowed; the body is no offer.
      ["POST", `/whep/${cid}`, 415],
    ] as const) {
      expect([path, (await api(node, method, path, token)).status]).toEqual([path, status]);
    }
    for (const path of ["/ws", "/ws/notifications", "/ws/signal/", "/ws/status"]) {
      using refused = await TestClient.open(`${node.wsUrl}${path}?token=${token}`);
      expect([path, (await refused.closed).code]).toEqual([path, 4003]);
    }
    using agent = await TestClient.open(`${node.wsUrl}/ws/mcp/?token=${token}&tenant_id=x`);
    expect((await agent.closed).code).toBe(4001);
  });

  test("for one viewer opens no bytes, and weaker ones end with the one they were made from", async () => {
    const { node, cid } = await served();
    await using _node = node;
    const made = await api(node, "POST", "/api/v0/playback-tokens", TOKEN, { cid });
    const viewerKey = Buffer.alloc(32, 1).toString("base64url");
    const bound = await attenuatePlaybackToken(made.body.token, { viewerKey });
    expect((await api(node, "GET", `/ipfs/${cid}`, bound)).body.error.code).toBe("FORBIDDEN");
    expect((await api(node, "GET", `/ipfs/${cid}`, made.body.token)).status).toBe(200);
    using client = await TestClient.open(`${node.wsUrl}/ws/webrtc?token=${bound}`);
    await client.next();
    client.send({ type: "offer_request", cid });
    const { pc_id, sdp } = await client.next();
    client.send({ type: "answer", pc_id, sdp: String(sdp), sdpType: "answer" });
    expect(await client.next()).toMatchObject({ type: "error", code: "FORBIDDEN" });
    await api(node, "DELETE", `/api/v0/playback-tokens/${made.body.id}`, TOKEN);
    expect((await client.closed).code).toBe(4001);
    expect((await api(node, "GET", `/ipfs/${cid}`, bound)).status).toBe(401);
  });

  test("is made by tenants for what is theirs, and by the command line", async () => {
    const { node, cid, other } = await served();
    await using _node = node;
    const tenancy = node.node.tenancy!;
    const { id: tenantId } = await tenancy.tenants.create({ name: "acme" });
    const { token } = await tenancy.tokens.create({ tenantId, scopes: ["media"], expiresInDays: 1 });
    await tenancy.content.grant(tenantId, { cid, name: undefined, size: 1, contentType: "video/mp4" });
    const make = (body: object) => api(node, "POST", "/api/v0/playback-tokens", token, body);
    expect((await make({ cid: other })).body.error.code).toBe("CONTENT_NOT_FOUND");
    expect((await make({ cid, manifest: other })).body.error.code).toBe("CONTENT_NOT_FOUND");
    expect((await make({ cid, expiresInSeconds: 1e9 })).status).toBe(400);
    expect((await make({ cid, viewerKey: "short" })).status).toBe(400);
    const made = await make({ cid });
    expect((await api(node, "GET", `/ipfs/${cid}`, made.body.token)).status).toBe(200);
    await tenancy.content.revoke(tenantId, cid);
    expect((await api(node, "GET", `/ipfs/${cid}`, made.body.token)).status).toBe(404);

    const command = ["token", "playback", cid, "--expires", "2h", "--max-quality", "high", "--json"];
    const said = await run([...command, "--token", TOKEN], { cwd: node.dataDir, dataDir: node.dataDir });
    const told = JSON.parse(said.stdout);
    expect([said.code, told.maxQuality, told.url]).toEqual([0, "high", expect.stringContaining(told.token)]);
    expect(told.expiresAtMs - told.createdAtMs).toBeGreaterThan(7_190_000);
    expect((await api(node, "GET", `/ipfs/${cid}`, told.token)).status).toBe(200);
    const wrong = await run([...command, "--expires", "soon"], { cwd: node.dataDir, dataDir: node.dataDir });
    expect(wrong.code).not.toBe(0);
  });
});
