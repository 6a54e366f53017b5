import { describe, expect, test } from "vitest";
import type { Logger, LogFields } from "../../core/index.ts";
import { MAX_FAILED_ATTEMPTS } from "../../tenancy/limits.ts";
import { ADMIN_KEY, ANONYMOUS, callRoute, ownerPrincipal, startTestMcp, type TestMcp } from "../testing.ts";

const admin = { headers: { authorization: `Bearer ${ADMIN_KEY}` } };
const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

async function makeTenant(s: TestMcp, scopes: string[] = ["basic"]) {
  const { body } = await s.request("POST", "/api/admin/tenants/", { ...admin, body: { name: "My Company" } });
  const tenantId = body.tenant.tenant_id as string;
  const made = await s.request("POST", "/api/admin/tokens/", {
    ...admin,
    body: { tenant_id: tenantId, scopes, expires_in_days: 30 },
  });
  return { tenantId, token: made.body.token_info.token as string };
}

const rpcHeaders = (who: { token: string; tenantId: string }) => ({
  authorization: `Bearer ${who.token}`,
  "x-tenant-id": who.tenantId,
});

describe("admin API", () => {
  test("tenants: create, list, without a name", async () => {
    await using s = await startTestMcp();
    const body = { name: "My Company", description: "Company tenant for MCP access" };
    const created = await s.request("POST", "/api/admin/tenants/", { ...admin, body });
    expect(created).toMatchObject({
      status: 201,
      body: {
        message: expect.any(String),
        tenant: { ...body, tenant_id: expect.any(String), is_active: true, created_at: ISO },
      },
    });
    expect(await s.request("POST", "/api/admin/tenants", { ...admin, body: {} })).toMatchObject({
      status: 400,
      body: { error: "Tenant name is required" },
    });
    expect(await s.request("GET", "/api/admin/tenants/", admin)).toMatchObject({
      status: 200,
      body: { tenants: [{ ...created.body.tenant, token_count: 0, session_count: 0 }], total_count: 1 },
    });
  });

  test("tenants are listed a page at a time", async () => {
    await using s = await startTestMcp();
    for (const name of ["one", "two", "three"]) {
      s.t.clock.advance(1);
      await s.request("POST", "/api/admin/tenants/", { ...admin, body: { name } });
    }
    const page = async (query: string) => (await s.request("GET", `/api/admin/tenants?${query}`, admin)).body;
    const first = await page("limit=2");
    expect(first).toMatchObject({ tenants: [{ name: "three" }, { name: "two" }], total_count: 3 });
    expect(first.next_after).toBe(first.tenants[1].tenant_id);
    const last = await page(`limit=2&after=${first.next_after}`);
    expect(last).toMatchObject({ tenants: [{ name: "one" }], total_count: 3 });
    expect(last).not.toHaveProperty("next_after");
    for (const [query, status] of [
      ["limit=0", 400],
      ["limit=x", 400],
      ["after=nobody", 404],
    ] as const)
      expect((await s.request("GET", `/api/admin/tenants?${query}`, admin)).status).toBe(status);
  });

  test("tokens are listed a page at a time, of all tenants or of one", async () => {
    await using s = await startTestMcp();
    const mine = [await makeTenant(s, ["basic"]), await makeTenant(s, ["basic"]), await makeTenant(s, [])];
    const page = async (query: string) => (await s.request("GET", `/api/admin/tokens/${query}`, admin)).body;
    const first = await page("?limit=2");
    expect([first.total_count, first.tokens.length, first.next_after]).toEqual([3, 2, first.tokens[1].id]);
    const second = await page(`?limit=2&after=${first.next_after}`);
    expect([second.total_count, second.tokens.length, second.next_after]).toEqual([3, 1, undefined]);
    const seen: string[] = [...first.tokens, ...second.tokens].map(token => token.tenant_id);
    expect(seen.toSorted()).toEqual(mine.map(({ tenantId }) => tenantId).toSorted());
    const one = await page(`?tenant_id=${mine[1]?.tenantId}`);
    expect([one.total_count, one.tokens[0].tenant_id]).toEqual([1, mine[1]?.tenantId]);
    expect(await s.request("GET", "/api/admin/tokens/?limit=0", admin)).toMatchObject({ status: 400 });
    expect(await s.request("GET", "/api/admin/tokens/?after=none", admin)).toMatchObject({ status: 404 });
  });

  test("tokens: the text is in one answer only; switching off ends it", async () => {
    await using s = await startTestMcp();
    const { tenantId, token } = await makeTenant(s, ["basic", "files", "web", "api"]);
    const list = await s.request("GET", "/api/admin/tokens/", admin);
    expect(list.body).toEqual({
      tokens: [
        {
          id: expect.any(String),
          token: `${token.slice(0, 8)}...`,
          tenant_id: tenantId,
          tenant_name: "My Company",
          scopes: ["basic", "files", "web", "api"],
          is_active: true,
          expires_at: ISO,
          created_at: ISO,
          last_used: null,
        },
      ],
      total_count: 1,
    });
    const id = list.body.tokens[0].id;
    expect(await s.request("DELETE", `/api/admin/tokens/${id}/`, admin)).toMatchObject({
      status: 200,
      body: { message: expect.any(String) },
    });
    const ping = {
      headers: rpcHeaders({ token, tenantId }),
      body: { jsonrpc: "2.0", id: 1, method: "ping" },
    };
    expect(await s.request("POST", "/api/mcp/rpc/", ping)).toMatchObject({
      status: 401,
      body: { error: "Invalid or expired token" },
    });
    expect((await s.request("DELETE", "/api/admin/tokens/none/", admin)).status).toBe(404);
    const wrong = { ...admin, body: { tenant_id: "none", scopes: [] } };
    expect((await s.request("POST", "/api/admin/tokens/", wrong)).status).toBe(404);
  });

  test("credentials: stored, replaced, listed without a value, removed, sealed anew", async () => {
    await using s = await startTestMcp();
    const { tenantId } = await makeTenant(s);
    const credential = { tenant_id: tenantId, tool_name: "secure_api", credential_key: "api_key" };
    for (const credential_value of ["v4lue-one", "v4lue-two"]) {
      const body = { ...credential, credential_value };
      expect(await s.request("POST", "/api/admin/credentials/", { ...admin, body })).toMatchObject({
        status: 201,
        body: { message: expect.any(String), ...credential },
      });
    }
    const list = await s.request("GET", `/api/admin/credentials/?tenant_id=${tenantId}`, admin);
    expect(list.body).toMatchObject({
      tenant_id: tenantId,
      tenant_name: "My Company",
      credentials: [
        {
          tool_name: "secure_api",
          credential_key: "api_key",
          has_value: true,
          created_at: ISO,
          updated_at: ISO,
        },
      ],
      total_count: 1,
    });
    expect(JSON.stringify(list.body)).not.toContain("v4lue");
    expect((await s.request("POST", "/api/admin/credentials/rotate/", admin)).body).toMatchObject({
      resealed: 1,
    });
    expect((await s.request("GET", "/api/admin/credentials/", admin)).status).toBe(400);
    const path = `/api/admin/credentials/${list.body.credentials[0].id}/`;
    expect((await s.request("DELETE", path, admin)).status).toBe(200);
    expect((await s.request("DELETE", path, admin)).status).toBe(404);
    const incomplete = { ...admin, body: { tenant_id: tenantId } };
    expect((await s.request("POST", "/api/admin/credentials/", incomplete)).status).toBe(400);
  });

  test("scopes, dashboard, audit and quotas", async () => {
    await using s = await startTestMcp();
    const who = await makeTenant(s);
    const scopes = (await s.request("GET", "/api/admin/scopes/", admin)).body;
    expect(scopes.scopes).toContainEqual({
      name: "basic",
      description: expect.any(String),
      tools: ["current_time", "calculator"],
    });
    expect(scopes.scopes[0]).toMatchObject({ name: "none", tools: ["echo"] });
    expect(scopes.total_count).toBe(11);
    for (const name of ["echo", "system_info"]) {
      const body = {
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name, arguments: { message: "m" } },
      };
      await s.request("POST", "/api/mcp/rpc/", { headers: rpcHeaders(who), body });
    }
    expect((await s.request("GET", `/api/admin/dashboard/${who.tenantId}/`, admin)).body).toEqual({
      tenant: expect.objectContaining({ tenant_id: who.tenantId }),
      statistics: { active_tokens: 1, active_sessions: 1, total_tool_calls: 2, credentials_count: 0 },
      recent_calls: [
        { tool_name: "system_info", created_at: ISO, success: false, session_id: expect.any(String) },
        { tool_name: "echo", created_at: ISO, success: true, session_id: expect.any(String) },
      ],
    });
    const query = `?tenant_id=${who.tenantId}`;
    expect((await s.request("GET", `/api/admin/audit/verify/${query}`, admin)).body).toEqual({
      tenant_id: who.tenantId,
      intact: true,
    });
    const lines: string[] = [];
    for await (const line of (await s.request("GET", `/api/admin/audit/${query}`, admin)).body)
      lines.push(line);
    expect(lines.map(line => JSON.parse(line).tool)).toEqual(["echo", "system_info"]);
    const quotas = { ...admin, body: { requests_per_minute: 1 } };
    await s.request("PUT", `/api/admin/tenants/${who.tenantId}/quotas/`, quotas);
    const ask = async () =>
      (
        await s.request("POST", "/api/mcp/rpc/", {
          headers: rpcHeaders(who),
          body: {
            jsonrpc: "2.0",
            id: 1,
            method: "tools/call",
            params: { name: "echo", arguments: { message: "m" } },
          },
        })
      ).body;
    await ask();
    expect((await ask()).error).toMatchObject({
      code: -32429,
      data: { retryAfterSeconds: expect.any(Number) },
    });
    expect((await s.request("DELETE", `/api/admin/tenants/${who.tenantId}/`, admin)).status).toBe(200);
    expect((await ask()).error).toBe("Invalid or expired token");
  });

  test("every route refuses who shows no key or a wrong one, and counts wrong ones", async () => {
    await using s = await startTestMcp();
    for (const route of s.mcp.routes.filter(entry => entry.access === "admin-key")) {
      const path = (route.paths[0] ?? "").replace(":id", "x");
      const local = { principal: ownerPrincipal, remoteAddress: "127.0.0.1" };
      expect((await s.request(route.method, path, local)).body.error, path).toBe("Admin key required");
    }
    const wrong = { headers: { "x-admin-key": "wrong" } };
    for (let n = 0; n < MAX_FAILED_ATTEMPTS; n++) {
      expect((await s.request("GET", "/api/admin/tenants", wrong)).status).toBe(401);
    }
    const refused = await s.request("GET", "/api/admin/tenants", admin);
    expect([refused.status, refused.headers?.["retry-after"]]).toEqual([429, "3"]);
    expect(
      (await s.request("GET", "/api/admin/tenants", { ...admin, remoteAddress: "192.0.2.8" })).status,
    ).toBe(200);
  });

  test("opened on loopback it asks loopback for no key, and nobody else", async () => {
    await using s = await startTestMcp({ adminOpen: "loopback" });
    const status = async (remoteAddress: string, headers = {}) =>
      (await s.request("GET", "/api/admin/tenants/", { remoteAddress, headers })).status;
    expect(await status("127.0.0.1")).toBe(200);
    expect(await status("::ffff:127.0.0.1")).toBe(200);
    expect(await status("10.0.0.1")).toBe(401);
    expect(await status("127.0.0.1", { "x-admin-key": "wrong" })).toBe(401);
  });
});

describe("client API", () => {
  test("rpc asks for a bearer token and a tenant, and tells them apart", async () => {
    await using s = await startTestMcp();
    const [a, b] = [await makeTenant(s), await makeTenant(s)];
    const body = { jsonrpc: "2.0", id: "1", method: "tools/list" };
    const outcome = async (headers: Record<string, string>) => {
      const { status, body: answer } = await s.request("POST", "/api/mcp/rpc/", {
        headers,
        body,
        principal: ownerPrincipal,
        remoteAddress: "127.0.0.1",
      });
      return [status, answer.error];
    };
    expect(await outcome({})).toEqual([401, "Bearer token required"]);
    expect(await outcome({ authorization: `Bearer ${a.token}` })).toEqual([401, "Tenant ID required"]);
    expect(await outcome(rpcHeaders({ ...a, token: "x" }))).toEqual([401, "Invalid or expired token"]);
    expect(await outcome(rpcHeaders({ ...a, tenantId: b.tenantId }))).toEqual([
      403,
      "Token does not match tenant",
    ]);
    expect(await outcome(rpcHeaders(a))).toEqual([200, undefined]);
  });

  test("rpc answers parse errors, invalid requests, notifications and batches", async () => {
    await using s = await startTestMcp();
    const headers = rpcHeaders(await makeTenant(s));
    const post = (body: unknown) => s.request("POST", "/api/mcp/rpc", { headers, body });
    expect(await post("{")).toMatchObject({
      status: 400,
      body: { error: { code: -32700, message: "Parse error" } },
    });
    expect((await post({ id: 1 })).body.error.code).toBe(-32600);
    const call = { jsonrpc: "2.0", id: 5, method: "tools/call", params: {} };
    expect((await post(call)).body).toMatchObject({
      id: 5,
      error: { code: -32602, message: "Invalid params" },
    });
    expect(await post({ jsonrpc: "2.0", method: "notifications/initialized" })).toMatchObject({
      status: 202,
    });
    const ping = (id: number) => ({ jsonrpc: "2.0", id, method: "ping" });
    expect((await post([ping(1), ping(2)])).body.map((entry: { id: number }) => entry.id)).toEqual([1, 2]);
    expect((await post(Array.from({ length: 33 }, (_, id) => ping(id)))).body.error.code).toBe(-32600);
  });

  test("what a tenant is shown is its own: sessions, analytics, tools", async () => {
    await using s = await startTestMcp();
    const [a, b] = [await makeTenant(s, []), await makeTenant(s)];
    for (const who of [a, b]) {
      const body = {
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "echo", arguments: { message: "m" } },
      };
      await s.request("POST", "/api/mcp/rpc/", { headers: rpcHeaders(who), body });
    }
    const get = async (path: string, who?: { token: string }) =>
      (
        await s.request(
          "GET",
          path,
          who === undefined
            ? { principal: ownerPrincipal }
            : { headers: { authorization: `Bearer ${who.token}` } },
        )
      ).body;
    expect(await get("/api/mcp/sessions/", a)).toMatchObject({
      sessions: [{ tenant_id: a.tenantId }],
      total_count: 1,
    });
    expect((await get("/api/mcp/sessions/")).total_count).toBe(2);
    expect(await get("/api/mcp/analytics/", a)).toEqual({
      sessions: { total: 1, active: 1, inactive: 0 },
      tool_calls: { total: 1, by_tool: { echo: { calls: 1, errors: 0 } } },
      server_status: "running",
      registered_tools: 7,
    });
    expect((await get("/api/mcp/analytics/")).tool_calls.total).toBe(2);
    expect((await get("/api/mcp/tools/", a)).tools.map((tool: { name: string }) => tool.name)).toEqual([
      "echo",
    ]);
    expect((await get("/api/mcp/tools/", b)).total_count).toBe(3);
    expect(await get("/api/mcp/info/", a)).toMatchObject({
      server_info: { name: "cidcast", version: "1.2.3", protocol_version: "2024-11-05" },
      capabilities: { tools: {} },
      available_tools: ["echo"],
      endpoints: { rpc: "/api/mcp/rpc/", websocket: "/ws/mcp/" },
    });
    expect((await get("/mcp/tools/list", a)).tools).toHaveLength(1);
  });

  test("every route has decided who may, and nobody unknown gets in", async () => {
    await using s = await startTestMcp();
    for (const route of s.mcp.routes) {
      for (const path of route.paths) {
        const answer = await s.request(route.method, path.replace(":id", "x"), {
          principal: ANONYMOUS,
          body: {},
        });
        expect([answer.status, answer.body.code], `${route.method} ${path}`).toEqual([
          401,
          "UNAUTHENTICATED",
        ]);
      }
    }
  });

  test("tools of others are called in both forms, and the plain alias answers their result", async () => {
    await using s = await startTestMcp();
    const seen: string[] = [];
    s.mcp.registerTool({
      name: "my_tool",
      description: "Description of what the tool does",
      input_schema: { type: "object", properties: { param1: { type: "string" } }, required: ["param1"] },
      handler: async (args, session_id) => {
        seen.push(session_id);
        return `Tool result: ${String(args["param1"])}`;
      },
    });
    const { token } = await makeTenant(s, []);
    const call = async (args: object) =>
      s.request("POST", "/mcp/tools/call", {
        headers: { "x-api-token": token },
        body: { name: "my_tool", args },
      });
    expect((await call({ param1: "x" })).body).toEqual({
      content: [{ type: "text", text: "Tool result: x" }],
    });
    expect((await call({})).body.isError).toBe(true);
    expect(seen).toEqual([expect.stringMatching(/^[\da-f-]{36}$/)]);
    const register = (tool: object) => () =>
      s.mcp.registerTool({ description: "d", handler: () => "", ...tool } as never);
    expect(register({ name: "my_tool" })).toThrow(expect.objectContaining({ code: "CONFLICT" }));
    expect(register({ name: "no spaces" })).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }));
    expect(register({ name: "x", input_schema: { type: "string" } })).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG" }),
    );
  });

  test("a tool that fails unforeseen tells the log, not the caller", async () => {
    const logged: LogFields[] = [];
    const log: Logger = { ...silent(), error: fields => logged.push(fields) };
    await using s = await startTestMcp(
      {
        tools: [
          {
            name: "broken",
            description: "Breaks",
            handler: () => Promise.reject(new Error("/etc/secret path")),
          },
        ],
      },
      { log },
    );
    const { token } = await makeTenant(s, []);
    const answer = await callRoute(s.mcp.routes, "POST", "/mcp/tools/call", {
      headers: { "x-api-token": token },
      body: { name: "broken" },
    });
    expect(answer.body).toEqual({
      content: [{ type: "text", text: "INTERNAL: The tool broken failed" }],
      isError: true,
    });
    expect(logged).toMatchObject([{ tool: "broken" }]);
  });
});

describe("secrets", () => {
  test("none of them comes out in a log line, an audit record or a list", async () => {
    const written: string[] = [];
    const note = (fields: LogFields, message: string) => void written.push(JSON.stringify(fields) + message);
    const log: Logger = { trace: note, debug: note, info: note, warn: note, error: note, child: () => log };
    await using s = await startTestMcp({ adminOpen: "loopback" }, { log });
    const who = await makeTenant(s, ["web", "api"]);
    const body = {
      tenant_id: who.tenantId,
      tool_name: "secure_api",
      credential_key: "api_key",
      credential_value: "s3cr3t-v4lue",
    };
    await s.request("POST", "/api/admin/credentials/", { ...admin, body });
    const args = {
      url: "http://127.0.0.1/?token=s3cr3t-query",
      headers: { Authorization: "Bearer s3cr3t-header" },
      data: { password: "s3cr3t-body", note: who.token },
    };
    const call = {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "web_request", arguments: args },
    };
    await s.request("POST", "/api/mcp/rpc/", { headers: rpcHeaders(who), body: call });
    await s.request("POST", "/api/mcp/rpc/", {
      headers: { ...rpcHeaders(who), "x-tenant-id": "other" },
      body: call,
    });
    for (const path of [
      "tenants",
      "tokens",
      `credentials?tenant_id=${who.tenantId}`,
      `dashboard/${who.tenantId}`,
    ]) {
      written.push(JSON.stringify((await s.request("GET", `/api/admin/${path}`, admin)).body));
    }
    for await (const line of (await s.request("GET", `/api/admin/audit?tenant_id=${who.tenantId}`, admin))
      .body)
      written.push(line);
    const all = written.join("\n");
    expect(all).toContain("web_request");
    for (const secret of ["s3cr3t", ADMIN_KEY, who.token]) expect(all).not.toContain(secret);
  });
});

function silent(): Logger {
  const nothing = (): void => {};
  const log: Logger = {
    trace: nothing,
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: nothing,
    child: () => log,
  };
  return log;
}
