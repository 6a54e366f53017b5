import { describe, expect, test } from "vitest";
import type { CidcastNode } from "../../src/node.ts";

// Tests look at what they expect.
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = Record<string, any>;

/** A client at one of the doors of a node. */
export interface DoorClient {
  /** Sends a message; resolves to the answer with its id. */
  ask(message: Json): Promise<Json>;
  /** Sends a text as it stands; resolves to the next message without an id of ours. */
  raw(text: string): Promise<Json>;
  /** Resolves when the node has ended the connection; undefined where a door has none. */
  readonly ended: Promise<void> | undefined;
  close(): Promise<void>;
}

/** Who comes to a door. */
export interface DoorTenant {
  readonly tenantId: string;
  readonly token: string;
  readonly tokenId: string;
}

export interface DoorUnderTest {
  readonly node: () => CidcastNode;
  open(tenant: DoorTenant): Promise<DoorClient>;
  /** Makes a tenant with a token of these scopes. */
  tenant(scopes: readonly string[]): Promise<DoorTenant>;
  /** What its sessions are listed as. */
  readonly carrier: string;
  /** True where one connection speaks one revision, the newest too. */
  readonly speaksNewest: boolean;
}

const initialize = (protocolVersion: string, capabilities?: object): Json => ({
  jsonrpc: "2.0",
  id: "1",
  method: "initialize",
  params: {
    protocolVersion,
    clientInfo: { name: "My Agent", version: "1.0.0" },
    ...(capabilities && { capabilities }),
  },
});
const callTool = (name: string, args: Json, id: string | number = "3"): Json => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args },
});
const NEWEST = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "a", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** What every door of MCP does, whatever carries it. */
export function mcpDoorSuite(name: string, door: DoorUnderTest): void {
  describe(`mcp over ${name}`, () => {
    test("shakes hands, lists and calls, with string ids and without capabilities", async () => {
      const who = await door.tenant(["basic"]);
      const client = await door.open(who);
      expect(await client.ask(initialize("2024-11-05"))).toMatchObject({
        jsonrpc: "2.0",
        id: "1",
        result: {
          protocolVersion: "2024-11-05",
          serverInfo: { name: "cidcast" },
          capabilities: { tools: {} },
        },
      });
      const list = await client.ask({ jsonrpc: "2.0", id: "2", method: "tools/list" });
      const names = list["result"].tools.map((tool: Json) => tool["name"]);
      expect(names.slice(0, 3)).toEqual(["echo", "current_time", "calculator"]);
      expect(names).not.toContain("system_info");
      const said = await client.ask(callTool("echo", { message: "Grüße 🎬\nan alle" }));
      expect(said["result"]).toEqual({ content: [{ type: "text", text: "Grüße 🎬\nan alle" }] });
      const tenancy = door.node().tenancy!;
      const own = tenancy.sessions.active().filter(session => session.tenantId === who.tenantId);
      expect(own.map(session => session.door)).toEqual([door.carrier]);
      await client.close();
      const [record] = await tenancy.audit.recent(who.tenantId, 1);
      expect(record).toMatchObject({ tool: "echo", tenantId: who.tenantId, caller: `token:${who.tokenId}` });
    });

    test("answers errors with the codes that clients know", async () => {
      const client = await door.open(await door.tenant([]));
      await client.ask(initialize("2025-06-18", {}));
      const errorOf = async (message: Json): Promise<Json> => (await client.ask(message))["error"];
      expect(await errorOf({ jsonrpc: "2.0", id: 4, method: "no/such" })).toMatchObject({
        code: -32601,
        message: "Method not found: no/such",
      });
      expect(await errorOf(callTool("nothing", {}, 5))).toMatchObject({
        code: -32602,
        message: "Tool not found: nothing",
      });
      expect(await errorOf(callTool("calculator", { expression: "1" }, 6))).toMatchObject({
        code: -32403,
        message: "Insufficient permissions for tool: calculator",
      });
      expect((await client.ask(callTool("echo", { message: 7 }, 8)))["result"]).toMatchObject({
        isError: true,
      });
      expect(
        await client.ask({ jsonrpc: "2.0", id: 9, method: "logging/setLevel", params: { level: "info" } }),
      ).toEqual({ jsonrpc: "2.0", id: 9, result: {} });
      for (const [method, params, told] of [
        ["logging/setLevel", { level: "loud" }, "params.level"],
        ["resources/read", {}, "params.uri"],
        ["prompts/get", { name: 7 }, "params.name"],
        ["completion/complete", { ref: { type: "ref/none" } }, "params"],
        ["tools/call", { arguments: {} }, ""],
      ] as const) {
        const error = await errorOf({ jsonrpc: "2.0", id: 10, method, params });
        expect([method, error]).toEqual([method, { code: -32602, message: expect.stringContaining(told) }]);
        expect(error["message"].length).toBeLessThanOrEqual(500);
      }
      await client.close();
    });

    test("serves the seven tools of old, each within its bounds", async () => {
      const who = await door.tenant(["basic", "admin", "files", "web", "api"]);
      const client = await door.open(who);
      await client.ask(initialize("2024-11-05"));
      let id = 10;
      const call = async (name: string, args: Json): Promise<[boolean, string]> => {
        const { result } = await client.ask(callTool(name, args, `${id++}`));
        return [result.isError === true, result.content[0].text];
      };
      expect(await call("echo", { message: "Hello, MCP!" })).toEqual([false, "Hello, MCP!"]);
      for (const [format, told] of [
        ["iso", /\d{4}-\d\d-\d\dT\d\d:\d\d/],
        ["timestamp", /\d{10}/],
        ["human", /20\d\d/],
      ] as const) {
        expect(await call("current_time", { format })).toEqual([false, expect.stringMatching(told)]);
      }
      expect(await call("calculator", { expression: "2 + 3 * (4 - 1)" })).toEqual([
        false,
        expect.stringContaining("11"),
      ]);
      expect(await call("calculator", { expression: "process.exit()" })).toEqual([true, expect.any(String)]);
      expect(await call("system_info", {})).toEqual([false, expect.stringContaining(process.platform)]);
      const path = "notes/a.txt";
      for (const [args, isError, told] of [
        [{ operation: "write", path, content: "the note" }, false, ""],
        [{ operation: "read", path }, false, "the note"],
        [{ operation: "exists", path }, false, ""],
        [{ operation: "list", path: "notes" }, false, "a.txt"],
        [{ operation: "read", path: "../../etc/passwd" }, true, ""],
      ] as const) {
        expect([args, ...(await call("file_operations", args))]).toEqual([
          args,
          isError,
          expect.stringContaining(told),
        ]);
      }
      // What is within the node's own network is nobody's to ask for through it.
      for (const url of [
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
      ]) {
        expect([url, ...(await call("web_request", { url, method: "GET" }))]).toEqual([
          url,
          true,
          expect.any(String),
        ]);
      }
      expect(await call("secure_api", { endpoint: "users" })).toEqual([
        true,
        expect.stringMatching(/credential/i),
      ]);
      const of = { tenantId: who.tenantId, toolName: "secure_api" };
      const { credentials } = door.node().tenancy!;
      await credentials.store({ ...of, credentialKey: "api_key" }, "the-key-of-the-api");
      await credentials.store({ ...of, credentialKey: "base_url" }, "https://127.0.0.1:1/v1");
      const [refused, message] = await call("secure_api", { endpoint: "users" });
      expect([refused, message]).toEqual([true, expect.not.stringContaining("the-key-of-the-api")]);
      expect(message).not.toMatch(/credential/i);
      await client.close();
      const { total } = await door.node().tenancy!.audit.counts(who.tenantId);
      expect(total).toBe(id - 10);
    });

    test("answers what is no message, and goes on", async () => {
      const client = await door.open(await door.tenant([]));
      await client.ask(initialize("2025-06-18", {}));
      for (const [text, code] of [
        [
          `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(99)}{}${"}".repeat(100)}`,
          -32700,
        ],
        ['{"jsonrpc":"2.0","method":7}', -32600],
      ] as const) {
        expect([text.slice(0, 40), (await client.raw(text))["error"].code]).toEqual([
          text.slice(0, 40),
          code,
        ]);
      }
      expect((await client.ask(callTool("echo", { message: "still here" }, 9)))["result"]).toMatchObject({
        content: [{ text: "still here" }],
      });
      await client.close();
    });

    test("serves every revision", async () => {
      for (const version of ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]) {
        const client = await door.open(await door.tenant([]));
        expect((await client.ask(initialize(version, {})))["result"].protocolVersion).toBe(version);
        await client.close();
      }
    });

    test.each(door.speaksNewest ? ["2026-07-28"] : [])("serves %s, without a handshake", async version => {
      const client = await door.open(await door.tenant([]));
      const ask = (id: number, method: string, params: Json) =>
        client.ask({ jsonrpc: "2.0", id, method, params: { ...params, _meta: NEWEST } });
      expect((await ask(1, "server/discover", {}))["result"].supportedVersions).toEqual([version]);
      const called = await ask(2, "tools/call", { name: "echo", arguments: { message: "hi" } });
      expect(called["result"]).toMatchObject({
        content: [{ type: "text", text: "hi" }],
        resultType: "complete",
      });
      await client.close();
    });

    test("carries content both ways, and none of another tenant's", async () => {
      const [a, b] = [
        await door.tenant(["content:read", "content:write"]),
        await door.tenant(["content:read", "content:write"]),
      ];
      const client = await door.open(a);
      await client.ask(initialize("2025-06-18", {}));
      const bytes = Buffer.alloc(200_000, name);
      const added = await client.ask(callTool("content_add", { base64: bytes.toString("base64") }, 2));
      const { cid } = added["result"].structuredContent;
      const read = (of: DoorClient, at: string) =>
        of.ask({ jsonrpc: "2.0", id: 3, method: "resources/read", params: { uri: `ipfs://${at}` } });
      const [contents] = (await read(client, cid))["result"].contents;
      expect(
        Buffer.from(contents.blob ?? contents.text, contents.blob ? "base64" : "utf8").equals(bytes),
      ).toBe(true);
      await client.close();
      const other = await door.open(b);
      await other.ask(initialize("2025-06-18", {}));
      const elsewhere = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
      const withoutCid = (answer: Json, at: string): string => JSON.stringify(answer).replaceAll(at, "CID");
      expect(withoutCid(await read(other, cid), cid)).toBe(
        withoutCid(await read(other, elsewhere), elsewhere),
      );
      await other.close();
    });

    test("ends with the token", async () => {
      const who = await door.tenant([]);
      const client = await door.open(who);
      await client.ask(initialize("2025-06-18", {}));
      await door.node().tenancy!.revokeToken(who.tokenId);
      const asked = JSON.stringify(callTool("echo", { message: "x" }, 5));
      // A connection ends; a request is refused.
      const refused = async (): Promise<boolean> => "error" in (await client.raw(asked));
      expect(client.ended === undefined ? await refused() : await client.ended.then(() => true)).toBe(true);
      const own = door
        .node()
        .tenancy!.sessions.active()
        .filter(({ tenantId }) => tenantId === who.tenantId);
      expect(own).toEqual([]);
      await client.close();
    });
  });
}
