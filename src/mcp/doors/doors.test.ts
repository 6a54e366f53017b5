import { MAX_MESSAGE_BYTES } from "@cidcast/protocols/mcp";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { ownerPrincipal } from "../../core/index.ts";
import { DAY_MS } from "../../tenancy/tokens/tokens.ts";
import { HTTP_SESSION_IDLE_MS, IDLE_SWEEP_MS, MAX_IN_FLIGHT, MAX_WAITING } from "../limits.ts";
import { startTestMcp, type TestMcp } from "../testing.ts";
import type { McpSocketInit } from "./socket.ts";

// Tests look at what they expect.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = Record<string, any>;

/** A client at one of the doors: it sends a message and gets the answer. */
interface Client {
  ask(message: Json): Promise<Json>;
  close(): Promise<void>;
}

/** A carrier that keeps what it was given. */
function carrier(s: TestMcp, init: Partial<McpSocketInit>) {
  const waiting = new Map<unknown, (message: Json) => void>();
  const frames: Json[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const socket = s.mcp.connect({
    carrier: "websocket",
    door: "ws",
    send(text) {
      const message = JSON.parse(text) as Json;
      frames.push(message);
      waiting.get(message["id"])?.(message);
    },
    close: (code, reason) => closed.resolve({ code, reason }),
    ...init,
  });
  return {
    socket,
    frames,
    closed: closed.promise,
    ask(message: Json): Promise<Json> {
      const { promise, resolve } = Promise.withResolvers<Json>();
      waiting.set(message["id"], resolve);
      socket.receive(JSON.stringify(message));
      return promise;
    },
  };
}

const doors: Record<string, (s: TestMcp, token: string, tenantId: string) => Promise<Client>> = {
  websocket: async (s, token, tenantId) => {
    const { socket, ask } = carrier(s, { token, tenantId });
    return { ask, close: async () => socket.close() };
  },
  rpc: async (s, token, tenantId) => ({
    ask: async message => {
      const headers = { authorization: `Bearer ${token}`, "x-tenant-id": tenantId };
      return (await s.request("POST", "/api/mcp/rpc/", { headers, body: message })).body;
    },
    close: async () => {},
  }),
  "streamable http": async (s, token) => {
    const headers: Record<string, string> = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    };
    return {
      ask: async message => {
        const request = new Request("http://127.0.0.1/mcp", {
          method: "POST",
          headers,
          body: JSON.stringify(message),
        });
        const response = await s.mcp.fetch(request, { principal: anonymous });
        const session = response.headers.get("mcp-session-id");
        if (session !== null) headers["mcp-session-id"] = session;
        const text = await response.text();
        const data = /^data: (\{.*\})$/m.exec(text)?.[1];
        return JSON.parse(data ?? text) as Json;
      },
      close: async () => {},
    };
  },
  stdio: async (s, token, tenantId) => {
    const principal = await s.t.tenancy.resolveToken(token, { tenantId, door: "cli" });
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const waiting = new Map<unknown, (message: Json) => void>();
    let rest = "";
    stdout.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const message = JSON.parse(line) as Json;
        waiting.get(message["id"])?.(message);
      }
    });
    const ended = s.mcp.serveStdio({ stdin, stdout, principal });
    return {
      ask: message => {
        const { promise, resolve } = Promise.withResolvers<Json>();
        waiting.set(message["id"], resolve);
        stdin.write(`${JSON.stringify(message)}\n`);
        return promise;
      },
      close: async () => {
        stdin.end();
        await ended;
      },
    };
  },
};
const anonymous = { kind: "anonymous", id: "anonymous", door: "http", scopes: new Set<string>() } as const;

const initialize = (protocolVersion: string, capabilities?: object) => ({
  jsonrpc: "2.0",
  id: "1",
  method: "initialize",
  params: {
    protocolVersion,
    clientInfo: { name: "My Agent", version: "1.0.0" },
    ...(capabilities && { capabilities }),
  },
});
const callTool = (name: string, args: Json, id: string | number = "3") => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args },
});

describe.each(Object.entries(doors))("%s", (_, open) => {
  test("initialize, list and call echo, with string ids and without capabilities", async () => {
    await using s = await startTestMcp();
    const { token, tenantId } = await s.t.tenant("A", ["basic"]);
    const client = await open(s, token, tenantId);
    expect(await client.ask(initialize("2024-11-05"))).toMatchObject({
      jsonrpc: "2.0",
      id: "1",
      result: {
        protocolVersion: "2024-11-05",
        serverInfo: { name: "cidcast", version: "1.2.3" },
        capabilities: { tools: {} },
      },
    });
    const list = await client.ask({ jsonrpc: "2.0", id: "2", method: "tools/list" });
    expect(list["result"].tools.map((tool: Json) => tool["name"])).toEqual([
      "echo",
      "current_time",
      "calculator",
    ]);
    expect((await client.ask(callTool("echo", { message: "Hello from my agent!" })))["result"]).toEqual({
      content: [{ type: "text", text: "Hello from my agent!" }],
    });
    await client.close();
    const [record] = await s.t.tenancy.audit.recent(tenantId, 1);
    expect(record).toMatchObject({ tool: "echo", arguments: '{"message":"Hello from my agent!"}', tenantId });
  });

  test("a call of a tool that there is not is kept as an error", async () => {
    await using s = await startTestMcp();
    const { token, tenantId } = await s.t.tenant("A", []);
    const client = await open(s, token, tenantId);
    await client.ask(initialize("2025-06-18", {}));
    expect((await client.ask(callTool("nothing", {}, 5)))["error"].code).toBe(-32602);
    await client.close();
    expect(await s.t.tenancy.audit.counts(tenantId)).toMatchObject({
      byTool: { nothing: { calls: 1, errors: 1 } },
    });
  });

  test("every revision is served, the newest without a handshake", async () => {
    for (const version of ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]) {
      await using s = await startTestMcp();
      const { token, tenantId } = await s.t.tenant("A", []);
      const client = await open(s, token, tenantId);
      expect((await client.ask(initialize(version, {})))["result"].protocolVersion).toBe(version);
      await client.close();
    }
  });
});

const modernMeta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "a", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

describe("2026-07-28", () => {
  test("is discovered and served over a socket, without a handshake", async () => {
    await using s = await startTestMcp();
    const { token, tenantId } = await s.t.tenant("A", []);
    const { ask } = carrier(s, { token, tenantId });
    const discover = await ask({
      jsonrpc: "2.0",
      id: 1,
      method: "server/discover",
      params: { _meta: modernMeta },
    });
    expect(discover["result"].supportedVersions).toEqual(["2026-07-28"]);
    const call = await ask({
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: { name: "echo", arguments: { message: "hi" }, _meta: modernMeta },
    });
    expect(call["result"]).toMatchObject({ content: [{ type: "text", text: "hi" }], resultType: "complete" });
    const listed = await ask({ jsonrpc: "2.0", id: 3, method: "tools/list", params: { _meta: modernMeta } });
    expect(listed["result"]).toMatchObject({ ttlMs: 60_000, cacheScope: "private" });
  });

  test("is served over Streamable HTTP, with the caller's own scopes", async () => {
    await using s = await startTestMcp();
    const { token } = await s.t.tenant("A", []);
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: { name: "calculator", arguments: { expression: "1" }, _meta: modernMeta },
    });
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "calculator",
    };
    const post = () => new Request("http://127.0.0.1/mcp", { method: "POST", headers, body });
    expect(await (await s.mcp.fetch(post(), { principal: anonymous })).json()).toMatchObject({
      error: { code: -32403 },
    });
    const bare = new Request("http://127.0.0.1/mcp", {
      method: "POST",
      headers: { ...headers, authorization: "" },
      body,
    });
    expect(await (await s.mcp.fetch(bare, { principal: ownerPrincipal })).json()).toMatchObject({
      result: { structuredContent: { result: 1 } },
    });
  });
});

describe("sockets", () => {
  test.each([
    ["no token", {}, "Authentication token required"],
    ["no tenant", { token: "x" }, "Tenant ID required"],
    ["a wrong token", { token: "x", tenantId: "y" }, "Invalid or expired token"],
  ])("%s closes with 4001 and the reason", async (_, init, reason) => {
    await using s = await startTestMcp();
    const { closed } = carrier(s, init);
    expect(await closed).toEqual({ code: 4001, reason });
  });

  test("a token of another tenant closes with 4001", async () => {
    await using s = await startTestMcp();
    const [a, b] = [await s.t.tenant("A", []), await s.t.tenant("B", [])];
    const { closed } = carrier(s, { token: a.token, tenantId: b.tenantId });
    expect(await closed).toEqual({ code: 4001, reason: "Token does not match tenant" });
  });

  test("revoking and expiry close open sockets and end their sessions at once", async () => {
    await using s = await startTestMcp();
    const [a, b] = [await s.t.tenant("A", []), await s.t.tenant("B", [])];
    const one = carrier(s, a);
    const other = carrier(s, b);
    await Promise.all([one.socket.ready, other.socket.ready]);
    expect(s.t.tenancy.sessions.active()).toHaveLength(2);
    await s.t.tenancy.revokeToken(a.tokenId);
    expect(s.t.tenancy.sessions.active()).toHaveLength(1);
    expect(await one.closed).toEqual({ code: 4001, reason: "Invalid or expired token" });
    s.t.clock.advance(30 * DAY_MS);
    expect(await other.closed).toEqual({ code: 4001, reason: "Invalid or expired token" });
  });

  test("what is not JSON, nests too deep or is no message is answered, and the socket lives on", async () => {
    await using s = await startTestMcp();
    const { socket, frames, ask } = carrier(s, await s.t.tenant("A", []));
    await socket.ready;
    for (const text of [
      "{",
      "[".repeat(1e5),
      `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(99)}`,
    ]) {
      socket.receive(text);
    }
    for (const text of ["[]", "7", '{"id":1}', "null"]) socket.receive(text);
    expect(frames.map(frame => frame["error"].code)).toEqual([
      -32700, -32700, -32700, -32600, -32600, -32600, -32600,
    ]);
    expect(await ask({ jsonrpc: "2.0", id: 9, method: "ping" })).toMatchObject({ id: 9, result: {} });
  });

  test("a message over the limit closes the socket", async () => {
    await using s = await startTestMcp();
    const { socket, closed } = carrier(s, await s.t.tenant("A", []));
    socket.receive("x".repeat(MAX_MESSAGE_BYTES + 1));
    expect((await closed).code).toBe(1009);
  });

  test("too many messages before the token was checked close the socket", async () => {
    await using s = await startTestMcp();
    const { socket, closed } = carrier(s, await s.t.tenant("A", []));
    for (let n = 0; n <= MAX_WAITING; n++) socket.receive('{"jsonrpc":"2.0","method":"notifications/x"}');
    expect((await closed).code).toBe(1009);
  });

  test("requests beyond those that may run at a time are refused, and later ones served", async () => {
    const gate = Promise.withResolvers<string>();
    await using s = await startTestMcp({
      tools: [{ name: "wait", description: "Waits", handler: () => gate.promise }],
    });
    const { socket, ask } = carrier(s, await s.t.tenant("A", []));
    await socket.ready;
    const running = Array.from({ length: MAX_IN_FLIGHT }, (_, n) => ask(callTool("wait", {}, n)));
    expect((await ask(callTool("wait", {}, 99)))["error"].code).toBe(-32429);
    gate.resolve("done");
    for (const answer of await Promise.all(running)) expect(answer["result"].content[0].text).toBe("done");
    expect((await ask(callTool("wait", {}, 100)))["result"].content[0].text).toBe("done");
  });
});

describe("streamable http", () => {
  const post = (headers: Record<string, string>, body: unknown) =>
    new Request("http://127.0.0.1/mcp", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers,
      },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  test("nobody known gets 401, and a session's id opens nothing for others", async () => {
    await using s = await startTestMcp();
    const [a, b] = [await s.t.tenant("A", []), await s.t.tenant("B", [])];
    const refused = await s.mcp.fetch(post({}, initialize("2025-06-18", {})), { principal: anonymous });
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    const opened = await s.mcp.fetch(post(as(a.token), initialize("2025-06-18", {})), {
      principal: anonymous,
    });
    await opened.text();
    const id = opened.headers.get("mcp-session-id") ?? "";
    expect(id).not.toBe("");
    const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
    const ask = async (token: string, session: string) =>
      s.mcp.fetch(post({ ...as(token), "mcp-session-id": session }, ping), { principal: anonymous });
    expect((await ask(a.token, id)).status).toBe(200);
    const [foreign, unknown] = [await ask(b.token, id), await ask(b.token, "no-such")];
    expect(foreign.status).toBe(404);
    expect(await foreign.text()).toBe(await unknown.text());
    await s.t.tenancy.revokeToken(a.tokenId);
    expect((await ask(a.token, id)).status).toBe(401);
  });

  test("a stream that is open ends with its token", async () => {
    await using s = await startTestMcp();
    const { token, tokenId } = await s.t.tenant("A", []);
    const headers = { authorization: `Bearer ${token}` };
    const opened = await s.mcp.fetch(post(headers, initialize("2025-06-18", {})), { principal: anonymous });
    await opened.text();
    const stream = await s.mcp.fetch(
      new Request("http://127.0.0.1/mcp", {
        headers: {
          ...headers,
          accept: "text/event-stream",
          "mcp-session-id": opened.headers.get("mcp-session-id") ?? "",
        },
      }),
      { principal: anonymous },
    );
    expect(stream.status).toBe(200);
    const ended = stream.text();
    await s.t.tenancy.revokeToken(tokenId);
    await ended;
    expect(s.t.tenancy.sessions.active()).toEqual([]);
  });

  test("a session that is not used is closed", async () => {
    await using s = await startTestMcp();
    const { token } = await s.t.tenant("A", []);
    const headers = { authorization: `Bearer ${token}` };
    const opened = await s.mcp.fetch(post(headers, initialize("2025-06-18", {})), { principal: anonymous });
    await opened.text();
    expect(s.t.tenancy.sessions.active()).toHaveLength(1);
    s.t.clock.advance(HTTP_SESSION_IDLE_MS + 2 * IDLE_SWEEP_MS);
    expect(s.t.tenancy.sessions.active()).toHaveLength(0);
  });

  test("a request outside any session is answered by itself, and refused where HTTP says so", async () => {
    await using s = await startTestMcp();
    const { token } = await s.t.tenant("A", []);
    const ask = async (more: Record<string, string>, message: object) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", ...more };
      const request = new Request("http://127.0.0.1/mcp", {
        method: "POST",
        headers: { accept: "application/json, text/event-stream", ...headers },
        body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      });
      const response = await s.mcp.fetch(request, { principal: anonymous });
      return { status: response.status, text: await response.text() };
    };
    const echo = { id: "a", method: "tools/call", params: { name: "echo", arguments: { message: "hi" } } };
    const answered = await ask({ "mcp-protocol-version": "2025-06-18" }, echo);
    expect([answered.status, JSON.parse(answered.text)]).toEqual([
      200,
      { jsonrpc: "2.0", id: "a", result: { content: [{ type: "text", text: "hi" }] } },
    ]);
    expect((await ask({}, { id: 1, method: "ping" })).text).toContain('"result":{}');
    expect((await ask({ accept: "application/json" }, echo)).status).toBe(406);
    expect((await ask({ "mcp-protocol-version": "1999-01-01" }, echo)).status).toBe(400);
    expect((await ask({ "mcp-session-id": "nobody's" }, echo)).status).toBe(404);
    expect((await ask({}, { method: "notifications/initialized" })).status).toBe(202);
    const unknown = JSON.parse((await ask({}, { id: 2, method: "no/such" })).text);
    expect(unknown).toMatchObject({ id: 2, error: { code: -32601 } });
  });

  test("bodies that are not JSON, too deep, too large or of another type are refused", async () => {
    await using s = await startTestMcp();
    const status = async (headers: Record<string, string>, body: string) =>
      (await s.mcp.fetch(post(headers, body), { principal: ownerPrincipal })).status;
    expect(await status({}, "{")).toBe(400);
    expect(await status({}, "[".repeat(1000))).toBe(400);
    expect(await status({}, `"${"x".repeat(MAX_MESSAGE_BYTES)}"`)).toBe(413);
    expect(await status({ "content-type": "text/plain" }, "{}")).toBe(415);
  });
});
