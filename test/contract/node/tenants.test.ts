import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_MESSAGE_BYTES } from "@cidcast/protocols/mcp";
import { describe, expect, test } from "vitest";
import { TestClient } from "../../sockets/socket-server.ts";
import { run } from "../../../src/cli/testing/run.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

interface Answer {
  readonly status: number;
  // Tests look into answers of every shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

async function call(
  served: ServedNode,
  method: string,
  path: string,
  init: { readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown } = {},
): Promise<Answer> {
  const response = await fetch(`${served.url}${path}`, {
    method,
    headers: { ...(init.body !== undefined && { "content-type": "application/json" }), ...init.headers },
    body: init.body === undefined ? null : JSON.stringify(init.body),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.startsWith("application/json") === true;
  return { status: response.status, body: json ? JSON.parse(text) : text };
}

async function admin(served: ServedNode): Promise<Record<string, string>> {
  return { "x-admin-key": (await readFile(served.node.adminKeyFile, "utf8")).trim() };
}

/** A tenant with a token, made through the admin API as its clients do. */
async function tenant(
  served: ServedNode,
  scopes: readonly string[],
): Promise<{ readonly tenantId: string; readonly token: string; readonly tokenId: string }> {
  const headers = await admin(served);
  const created = await call(served, "POST", "/api/admin/tenants/", { headers, body: { name: "acme" } });
  expect(created.status).toBe(201);
  const tenantId = created.body.tenant.tenant_id;
  const made = await call(served, "POST", "/api/admin/tokens", {
    headers,
    body: { tenant_id: tenantId, scopes },
  });
  expect(made.status).toBe(201);
  return { tenantId, token: made.body.token_info.token, tokenId: made.body.token_info.id };
}

const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};

describe("the admin API of a node", () => {
  test("asks for the admin key, whoever the caller is", async () => {
    await using served = await serveNode();
    expect((await call(served, "GET", "/api/admin/tenants")).body).toMatchObject({
      error: "Admin key required",
    });
    const wrong = { "x-admin-key": "wrong" };
    expect((await call(served, "GET", "/api/admin/tenants/", { headers: wrong })).status).toBe(401);
    const headers = await admin(served);
    expect((await call(served, "GET", "/api/admin/tenants/", { headers })).body).toEqual({
      tenants: [],
      total_count: 0,
    });
  });

  test("is open on loopback where the setting says so", async () => {
    await using served = await serveNode({ adminOpen: "loopback" });
    expect((await call(served, "GET", "/api/admin/tenants")).status).toBe(200);
  });
});

describe("a tenant's token", () => {
  test("is its tenant at every door of HTTP, and nobody else", async () => {
    await using served = await serveNode();
    const { token, tenantId } = await tenant(served, ["content:read", "content:write"]);
    const headers = { authorization: `Bearer ${token}` };
    const added = await fetch(`${served.url}/api/v0/add`, { method: "POST", body: "the owner's" });
    const { cid } = (await added.json()) as { cid: string };
    expect((await fetch(`${served.url}/ipfs/${cid}`)).status).toBe(200);
    const refused = await call(served, "GET", `/ipfs/${cid}`, { headers });
    expect([refused.status, refused.body.error.code]).toEqual([404, "CONTENT_NOT_FOUND"]);
    await served.node.tenancy?.content.grant(tenantId, {
      cid,
      name: undefined,
      size: 11,
      contentType: "text/plain",
    });
    expect(await call(served, "GET", `/ipfs/${cid}`, { headers })).toMatchObject({
      status: 200,
      body: "the owner's",
    });
    for (const [method, path] of [
      ["POST", "/api/v0/gc"],
      ["POST", "/api/v0/shutdown"],
      ["GET", `/api/v0/probe/${cid}`],
      ["GET", "/api/v0/peers"],
      ["POST", "/api/v0/mcp/webrtc/stream"],
    ] as const) {
      const answer = await call(served, method, path, { headers });
      expect([path, answer.status, answer.body.error.code]).toEqual([path, 403, "FORBIDDEN"]);
    }
    const bad = { authorization: `Bearer ${token}x` };
    expect((await call(served, "GET", "/api/v0/status", { headers: bad })).status).toBe(401);
  });

  test("adds, finds, pins and removes its tenant's own over HTTP, and the others see nothing of it", async () => {
    await using served = await serveNode();
    const [a, b] = [
      await tenant(served, ["content:read", "content:write"]),
      await tenant(served, ["content:read", "content:write"]),
    ];
    const as = (who: { readonly token: string }) => ({ authorization: `Bearer ${who.token}` });
    const add = async (who: { readonly token: string }, name: string) => {
      const url = `${served.url}/api/v0/add?name=${name}`;
      const answer = await fetch(url, { method: "POST", headers: as(who), body: "shared bytes" });
      return (await answer.json()) as { readonly cid: string; readonly name: string };
    };
    const owned = await fetch(`${served.url}/api/v0/add?name=owners.txt`, { method: "POST", body: "owned" });
    const { cid: ownersCid } = (await owned.json()) as { cid: string };
    const { cid } = await add(a, "a-secret-name.txt");
    const get = (who: { readonly token: string }, path: string, method = "GET") =>
      call(served, method, path, { headers: as(who) });

    expect((await get(a, "/api/v0/content")).body).toMatchObject({ total: 1, records: [{ cid }] });
    expect((await get(b, "/api/v0/content")).body).toEqual({ total: 0, records: [] });
    expect((await get(b, "/api/v0/pins")).body).toEqual({ pins: [] });
    for (const unseen of [cid, ownersCid]) {
      for (const [method, path] of [
        ["GET", `/api/v0/content/${unseen}`],
        ["DELETE", `/api/v0/content/${unseen}`],
        ["POST", `/api/v0/pin/${unseen}`],
        ["DELETE", `/api/v0/pin/${unseen}`],
        ["GET", `/api/v0/stat/${unseen}`],
        ["GET", `/api/v0/cat/${unseen}`],
        ["GET", `/ipfs/${unseen}`],
      ] as const) {
        const { status, body } = await get(b, path, method);
        expect([path, status, body.error?.code]).toEqual([path, 404, "CONTENT_NOT_FOUND"]);
      }
    }

    expect(await add(b, "b.txt")).toMatchObject({ cid, name: "b.txt" });
    const read = await fetch(`${served.url}/ipfs/${cid}`, { headers: as(b) });
    expect(read.headers.get("content-disposition")).toContain("b.txt");
    expect((await get(b, `/api/v0/content/${cid}`)).body).toMatchObject({ name: "b.txt" });
    expect((await get(a, `/api/v0/pin/${cid}?name=kept`, "POST")).body).toMatchObject({ cid, name: "kept" });
    const names = (await get(a, "/api/v0/pins")).body.pins.map((pin: { name: string }) => pin.name);
    expect(names.sort()).toEqual(["", "kept"]);

    expect((await get(a, `/api/v0/content/${cid}`, "DELETE")).status).toBe(200);
    expect((await get(a, `/ipfs/${cid}`)).status).toBe(404);
    expect((await get(b, `/ipfs/${cid}`)).status).toBe(200);
    expect((await get(b, `/api/v0/content/${cid}`, "DELETE")).status).toBe(200);
    const left = await call(served, "GET", "/api/v0/content");
    expect(left.body).toMatchObject({ total: 1, records: [{ cid: ownersCid }] });
  });

  test("hears of its own content what it would hear if it were alone on the node", async () => {
    await using served = await serveNode();
    const scopes = ["content:read", "content:write", "events"];
    const tenants = [await tenant(served, scopes), await tenant(served, scopes)] as const;
    const listen = async (token: string): Promise<TestClient> => {
      const client = await TestClient.open(`${served.wsUrl}/ws/notifications?token=${token}`);
      await client.next();
      client.send({ action: "subscribe", notification_types: ["all_events"] });
      await client.next();
      return client;
    };
    const heard: Readonly<Record<string, unknown>>[][] = [];
    // Both have the same bytes, under names of their own: the second adds what is here, the first is removed while it stays.
    for (const [index, { token, tenantId }] of tenants.entries()) {
      const headers = { authorization: `Bearer ${token}` };
      using client = await listen(token);
      const url = `${served.url}/api/v0/add?name=${index}.txt`;
      const added = await fetch(url, { method: "POST", headers, body: "the same bytes" });
      const { cid } = (await added.json()) as { readonly cid: string };
      await call(served, "POST", `/api/v0/pin/${cid}?name=again`, { headers });
      await call(served, "DELETE", `/api/v0/pin/${cid}?name=again`, { headers });
      await call(served, "DELETE", `/api/v0/pin/${cid}`, { headers });
      if (index === 1) await call(served, "DELETE", `/api/v0/content/${cid}`, { headers });
      served.node.notify?.emitEvent("system_info", { message: "fence" }, { tenantId });
      const told: Readonly<Record<string, unknown>>[] = [];
      for (;;) {
        const { notification_type: type, data } = await client.next();
        if (type === "system_info") break;
        told.push({ type, ...(data as object), cid: (data as { readonly cid: string }).cid === cid });
      }
      heard.push(told);
    }
    const [first = [], second = []] = heard;
    const added = { cid: true, size: 14, content_type: "text/plain" };
    const status = (now: string) => ({ type: "pin_status_changed", cid: true, status: now });
    expect(first).toEqual([
      { type: "content_added", name: "0.txt", ...added },
      { type: "pin_added", cid: true, name: "" },
      status("pinning"),
      { type: "pin_added", cid: true, name: "again" },
      status("pinned"),
      { type: "pin_removed", cid: true, name: "again" },
      { type: "pin_removed", cid: true, name: "" },
      status("unpinned"),
    ]);
    const renamed = first.map(event => (event["name"] === "0.txt" ? { ...event, name: "1.txt" } : event));
    expect(second).toEqual([...renamed, { type: "content_removed", cid: true }]);
  });

  test("stores and is sent no more than its tenant's quotas", async () => {
    await using served = await serveNode();
    const { token, tenantId } = await tenant(served, ["content:read", "content:write"]);
    await served.node.tenancy?.tenants.setQuotas(tenantId, {
      storage_bytes: 1000,
      egress_bytes_per_day: 1500,
    });
    const headers = { authorization: `Bearer ${token}` };
    const add = async (body: string | ReadableStream) => {
      const init = { method: "POST", headers, body, duplex: "half" } as RequestInit;
      const answer = await fetch(`${served.url}/api/v0/add`, init);
      // Answers of both kinds are looked at.
      // oxlint-disable-next-line typescript/no-explicit-any
      return { status: answer.status, body: (await answer.json()) as any };
    };
    const { body: added } = await add("x".repeat(900));
    expect((await add("y".repeat(101))).body.error).toMatchObject({ code: "LIMIT_REACHED" });
    // Without a length it is known as it comes.
    const stream = new Blob(["z".repeat(60), "z".repeat(60)]).stream();
    expect((await add(stream)).body.error).toMatchObject({ code: "LIMIT_REACHED" });
    expect((await add("y".repeat(100))).status).toBe(200);
    const read = (range: string) =>
      fetch(`${served.url}/ipfs/${added.cid}`, { headers: { ...headers, range: `bytes=${range}` } });
    expect((await (await read("0-899")).text()).length).toBe(900);
    const refused = await read("0-600");
    expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([429, true]);
    expect((await read("0-599")).status).toBe(206);
  });

  test("ends every socket and stream at the moment it is revoked", async () => {
    await using served = await serveNode();
    const { token, tokenId } = await tenant(served, ["events"]);
    using socket = await TestClient.open(`${served.wsUrl}/ws/notifications?token=${token}`);
    await socket.next();
    const stream = await fetch(`${served.url}/api/v0/events?token=${token}`);
    const reader = stream.body!.getReader();
    await reader.read();
    const headers = await admin(served);
    await call(served, "DELETE", `/api/admin/tokens/${tokenId}/`, { headers });
    expect(await socket.closed).toEqual({ code: 4001, reason: "Invalid or expired token" });
    expect((await reader.read()).done).toBe(true);
  });

  test("hears what happens to its own viewers, and not what happens to others", async () => {
    await using served = await serveNode({ webrtc: { enabled: true } });
    const [mine, other] = [await tenant(served, ["events", "media"]), await tenant(served, ["events"])];
    const HEARD = ["content_added", "pin_added", "webrtc_error", "system_info"];
    const listen = async (query: string): Promise<TestClient> => {
      const client = await TestClient.open(`${served.wsUrl}/ws/notifications${query}`);
      await client.next();
      client.send({ action: "subscribe", notification_types: HEARD });
      await client.next();
      return client;
    };
    using asMine = await listen(`?token=${mine.token}`);
    using asOther = await listen(`?token=${other.token}`);
    using asOwner = await listen("");
    const text = await served.node.content.add(chunksOf("no media"), { name: "words.txt" });
    const { cid, size, contentType } = text;
    await served.node.tenancy?.content.grant(mine.tenantId, { cid, name: undefined, size, contentType });
    using viewer = await TestClient.open(`${served.wsUrl}/webrtc?token=${mine.token}`);
    viewer.send({ type: "offer_request", cid });
    const error = { notification_type: "webrtc_error", data: { cid } };
    expect(await asMine.next()).toMatchObject(error);
    const owners = [await asOwner.next(), await asOwner.next(), await asOwner.next()];
    expect(owners).toMatchObject([
      { notification_type: "content_added" },
      { notification_type: "pin_added" },
      error,
    ]);
    // What comes next for the other is what is meant for it: nothing came before.
    served.node.notify?.emitEvent("system_info", { message: "fence" }, { tenantId: other.tenantId });
    expect(await asOther.next()).toMatchObject({ data: { message: "fence" } });
  });

  test("has as many requests a minute as its tenant's quota", async () => {
    await using served = await serveNode();
    const { token, tenantId } = await tenant(served, ["admin"]);
    await served.node.tenancy?.tenants.setQuotas(tenantId, { requests_per_minute: 2 });
    const headers = { authorization: `Bearer ${token}` };
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++)
      statuses.push((await call(served, "GET", "/api/v0/status", { headers })).status);
    expect(statuses).toEqual([200, 200, 429]);
  });
});

describe("MCP of a node", () => {
  test("answers Streamable HTTP to its owner and to tenants", async () => {
    await using served = await serveNode();
    const { token } = await tenant(served, ["basic"]);
    const accept = "application/json, text/event-stream";
    const asked: Record<string, string>[] = [{ accept }, { accept, authorization: `Bearer ${token}` }];
    for (const headers of asked) {
      for (const path of ["/mcp", "/mcp/"]) {
        const answer = await call(served, "POST", path, { headers, body: INITIALIZE });
        expect(answer.status).toBe(200);
        expect(JSON.stringify(answer.body)).toContain("cidcast");
      }
    }
    const headers = { authorization: "Bearer cct_wrong", accept: "application/json, text/event-stream" };
    expect((await call(served, "POST", "/mcp", { headers, body: INITIALIZE })).status).toBe(401);
  });

  test("answers plain JSON-RPC over HTTP", async () => {
    await using served = await serveNode();
    const { token, tenantId } = await tenant(served, ["basic"]);
    const headers = { authorization: `Bearer ${token}`, "x-tenant-id": tenantId };
    const body = {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "echo", arguments: { message: "hi" } },
    };
    for (const path of ["/api/mcp/rpc", "/api/mcp/rpc/"]) {
      const answer = await call(served, "POST", path, { headers, body });
      expect([answer.status, JSON.stringify(answer.body)]).toEqual([200, expect.stringContaining("hi")]);
    }
    expect((await call(served, "POST", "/api/mcp/rpc/", { body })).body).toMatchObject({
      error: "Bearer token required",
    });
  });

  test("shares /ws/mcp/ with the rooms: frames with jsonrpc need a token and its tenant", async () => {
    await using served = await serveNode();
    const { token, tenantId } = await tenant(served, ["basic"]);
    const path = `${served.wsUrl}/ws/mcp/`;
    using client = await TestClient.open(`${path}?token=${token}&tenant_id=${tenantId}`);
    client.send(INITIALIZE);
    expect(await client.next()).toMatchObject({ id: 1, result: { serverInfo: { name: "cidcast" } } });
    client.send({ type: "connect", payload: { user_id: "x" } });
    expect(await client.next()).toMatchObject({ type: "error", message: "This token may not join rooms" });
    // More than rooms take in a second, each answered.
    for (let id = 2; id < 302; id++) {
      client.send({ jsonrpc: "2.0", id, method: "ping" });
      expect(await client.next()).toMatchObject({ id, result: {} });
    }
    for (const [query, reason] of [
      ["", "Authentication token required"],
      [`?token=${token}`, "Tenant ID required"],
      [`?token=${token}&tenant_id=somebody`, "Token does not match tenant"],
      ["?token=cct_wrong&tenant_id=x", "Invalid or expired token"],
    ] as const) {
      using refused = await TestClient.open(path + query);
      refused.send(INITIALIZE);
      expect(await refused.closed).toEqual({ code: 4001, reason });
    }
  });

  test("takes content of 3 MiB in a frame of /ws/mcp/, and closes on more", async () => {
    await using served = await serveNode();
    const { token, tenantId } = await tenant(served, ["content:write"]);
    const path = `${served.wsUrl}/ws/mcp/?token=${token}&tenant_id=${tenantId}`;
    const addCall = (base64: string) => ({
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: { name: "content_add", arguments: { base64 } },
    });
    using client = await TestClient.open(path);
    client.send(INITIALIZE);
    await client.next();
    client.send(addCall(Buffer.alloc(3 * 1024 * 1024, 7).toString("base64")));
    expect(await client.next()).toMatchObject({
      id: 2,
      result: { structuredContent: { size: 3 * 1024 * 1024 } },
    });
    client.send(addCall("x".repeat(MAX_MESSAGE_BYTES)));
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  test("speaks on a pipe, over a running node and over a data directory", async () => {
    const line = `${JSON.stringify(INITIALIZE)}\n`;
    const dataDir = await mkdtemp(join(tmpdir(), "cidcast-mcp-"));
    const speak = async (): Promise<void> => {
      const ended = await run(["mcp"], { cwd: dataDir, dataDir, stdin: line });
      expect([ended.code, JSON.parse(ended.stdout).result.serverInfo.name]).toEqual([0, "cidcast"]);
    };
    try {
      {
        await using _served = await serveNode({ dataDir });
        await speak();
      }
      await speak();
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  test("tells everybody who gives out tokens, where an authorisation server is set", async () => {
    const mcp = {
      oauthIssuer: "https://issuer.example",
      oauthAudience: "https://node.example/mcp",
      oauthJwksUrl: "https://issuer.example/keys",
    };
    await using served = await serveNode({ token: "the-token-of-this-test-node", mcp });
    const path = "/.well-known/oauth-protected-resource";
    for (const at of [path, `${path}/mcp`]) {
      const { status, body } = await call(served, "GET", at);
      expect([status, body]).toEqual([200, expect.objectContaining({ resource: mcp.oauthAudience })]);
    }
    const headers = { accept: "application/json, text/event-stream" };
    const refused = await fetch(`${served.url}/mcp`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(INITIALIZE),
    });
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
      401,
      `Bearer resource_metadata="https://node.example${path}/mcp"`,
    ]);
    await expect(serveNode({ mcp: { oauthIssuer: mcp.oauthIssuer } })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
  });

  test("is not there where it is switched off", async () => {
    await using served = await serveNode({ mcp: { enabled: false } });
    expect((await call(served, "POST", "/mcp", { body: INITIALIZE })).status).toBe(404);
    using talk = await TestClient.open(`${served.wsUrl}/ws/mcp/`);
    talk.send(INITIALIZE);
    expect(await talk.next()).toMatchObject({ id: 1, error: { code: -32000 } });
  });
});

async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
