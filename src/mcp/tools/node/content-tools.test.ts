import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type ContentEvents,
  type ContentService,
  contentMigrations,
  createContent,
} from "../../../content/index.ts";
import { EventBus, noMetrics, ownerPrincipal, silentLogger, systemClock } from "../../../core/index.ts";
import { type Database, openDatabase } from "../../../store/index.ts";
import { MAX_ADD_BYTES, MAX_RESOURCE_BYTES } from "../../limits.ts";
import { type Json, startTestMcp, type TestMcp } from "../../testing.ts";

describe("content tools", () => {
  let directory: string;
  let database: Database;
  let content: ContentService;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "cidcast-mcp-content-"));
    database = await openDatabase({ file: ":memory:", migrations: contentMigrations });
    content = createContent({ directory, blockstore: { kind: "memory" } })({
      database,
      events: new EventBus<ContentEvents>(silentLogger),
      clock: systemClock,
      log: silentLogger,
      metrics: noMetrics,
    });
    await content.start();
  });
  afterEach(async () => {
    await content.stop();
    await database.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const everything = ["content:read", "content:write"];
  type Who = { readonly token: string; readonly tenantId: string } | "owner";

  async function ask(s: TestMcp, who: Who, method: string, params: object): Promise<Json> {
    const headers: Record<string, string> = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(who !== "owner" && { authorization: `Bearer ${who.token}` }),
    };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const request = new Request("http://127.0.0.1/mcp", { method: "POST", headers, body });
    return (await s.mcp.fetch(request, { principal: ownerPrincipal })).json();
  }
  const call = async (s: TestMcp, who: Who, name: string, args: object) =>
    (await ask(s, who, "tools/call", { name, arguments: args })).result;

  test("a tenant adds, finds, pins and reads its own, and the others see nothing of it", async () => {
    await using s = await startTestMcp({}, { content });
    const [a, b] = [await s.t.tenant("A", everything), await s.t.tenant("B", everything)];
    const added = (await call(s, a, "content_add", { name: "note.txt", text: "hello" })).structuredContent;
    const { cid } = added;
    expect(added).toMatchObject({
      name: "note.txt",
      size: 5,
      content_type: expect.stringContaining("text/plain"),
    });
    expect((await call(s, a, "content_search", { query: "note" })).structuredContent).toMatchObject({
      total: 1,
      results: [{ cid }],
    });
    expect((await call(s, a, "content_stat", { ref: cid })).structuredContent).toMatchObject({
      type: "file",
      size: 5,
      complete: true,
    });
    expect((await call(s, a, "content_pin", { cid, name: "keep" })).structuredContent.pins.sort()).toEqual([
      "",
      "keep",
    ]);
    const read = await ask(s, a, "resources/read", { uri: `ipfs://${cid}` });
    expect(read.result.contents).toEqual([
      { uri: `ipfs://${cid}`, mimeType: expect.any(String), text: "hello" },
    ]);
    const range = await ask(s, a, "resources/read", { uri: `ipfs://${cid}?start=1&end=3` });
    expect(range.result.contents[0].text).toBe("el");

    const nobodys = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
    for (const [name, args] of [
      ["content_stat", (c: string) => ({ ref: c })],
      ["content_pin", (c: string) => ({ cid: c })],
      ["content_unpin", (c: string) => ({ cid: c, confirm: true })],
      ["content_remove", (c: string) => ({ cid: c, confirm: true })],
    ] as const) {
      const told = async (c: string) => JSON.stringify(await call(s, b, name, args(c))).replaceAll(c, "CID");
      expect(await told(cid), name).toContain('"isError":true');
      expect(await told(cid), name).toBe(await told(nobodys));
    }
    const resource = async (c: string) =>
      JSON.stringify(await ask(s, b, "resources/read", { uri: `ipfs://${c}` })).replaceAll(c, "CID");
    expect(await resource(cid)).toBe(await resource(nobodys));
    expect((await call(s, b, "content_search", {})).structuredContent.total).toBe(0);
    expect((await ask(s, b, "resources/list", {})).result.resources).toEqual([]);
    const complete = (who: Who) =>
      ask(s, who, "completion/complete", {
        ref: { type: "ref/resource", uri: "ipfs://{cid}" },
        argument: { name: "cid", value: cid.slice(0, 8) },
      });
    expect((await complete(b)).result.completion.values).toEqual([]);
    expect((await complete(a)).result.completion.values).toEqual([cid]);
    expect((await ask(s, "owner", "resources/list", {})).result.resources).toMatchObject([
      { uri: `ipfs://${cid}` },
    ]);
  });

  test("removing changes nothing without confirm, and takes from nobody else", async () => {
    await using s = await startTestMcp({}, { content });
    const [a, b] = [await s.t.tenant("A", everything), await s.t.tenant("B", everything)];
    const [{ cid }] = await Promise.all([
      call(s, a, "content_add", { name: "A.txt", text: "shared" }).then(result => result.structuredContent),
      call(s, b, "content_add", { name: "B.txt", text: "shared" }),
    ]);
    const dry = (await call(s, a, "content_remove", { cid })).structuredContent;
    expect(dry).toMatchObject({ done: false, removes: { record: { name: "A.txt" }, pins: [""] } });
    expect((await call(s, a, "content_stat", { ref: cid })).isError).toBeUndefined();
    expect((await call(s, a, "content_remove", { cid, confirm: true })).structuredContent.done).toBe(true);
    expect((await call(s, a, "content_stat", { ref: cid })).isError).toBe(true);
    expect((await call(s, b, "content_stat", { ref: cid })).structuredContent).toMatchObject({
      record: { name: "B.txt" },
    });
    expect(await content.record(cid)).toBeDefined();
    await call(s, b, "content_remove", { cid, confirm: true });
    expect(await content.record(cid)).toBeUndefined();
    expect(await content.pins()).toEqual([]);
  });

  test("what the owner has put in stays when a tenant removes the same", async () => {
    await using s = await startTestMcp({}, { content });
    const a = await s.t.tenant("A", everything);
    const { cid } = (await call(s, "owner", "content_add", { name: "O.txt", text: "mine" }))
      .structuredContent;
    await call(s, a, "content_add", { name: "A.txt", text: "mine" });
    await call(s, a, "content_remove", { cid, confirm: true });
    expect(await content.record(cid)).toMatchObject({ cid });
    expect((await content.pins()).map(pin => pin.name)).toEqual([""]);
    expect((await call(s, "owner", "content_unpin", { cid })).structuredContent.done).toBe(false);
    expect((await call(s, "owner", "content_unpin", { cid, confirm: true })).structuredContent.done).toBe(
      true,
    );
    expect((await call(s, "owner", "content_unpin", { cid, confirm: true })).isError).toBe(true);
  });

  test("scopes, quota and sizes end where they should", async () => {
    await using s = await startTestMcp({}, { content });
    const reader = await s.t.tenant("A", ["content:read"]);
    const nobody = await s.t.tenant("B", []);
    const writer = await s.t.tenant("C", everything);
    expect(
      (await ask(s, reader, "tools/call", { name: "content_add", arguments: { text: "x" } })).error.code,
    ).toBe(-32403);
    expect((await ask(s, nobody, "resources/read", { uri: "ipfs://x" })).error.code).toBe(-32403);
    await s.t.tenancy.tenants.setQuotas(writer.tenantId, { storage_bytes: 3, egress_bytes_per_day: 4 });
    expect((await call(s, writer, "content_add", { text: "1234" })).content[0].text).toContain(
      "LIMIT_REACHED",
    );
    const { cid } = (await call(s, writer, "content_add", { base64: "MTIz" })).structuredContent;
    expect((await ask(s, writer, "resources/read", { uri: `ipfs://${cid}` })).result.contents).toHaveLength(
      1,
    );
    expect((await ask(s, writer, "resources/read", { uri: `ipfs://${cid}` })).error.code).toBe(-32429);
    for (const args of [
      {},
      { text: "a", base64: "YQ==" },
      { text: "x".repeat(MAX_ADD_BYTES + 1) },
      { base64: "%" },
    ]) {
      expect((await call(s, "owner", "content_add", args)).isError).toBe(true);
    }
    const big = (await call(s, "owner", "content_add", { text: "x".repeat(MAX_RESOURCE_BYTES + 1) }))
      .structuredContent;
    const read = (query: string) => ask(s, "owner", "resources/read", { uri: `ipfs://${big.cid}${query}` });
    expect((await read("")).error).toMatchObject({ code: -32602, data: { code: "PAYLOAD_TOO_LARGE" } });
    expect((await read(`?start=0&end=${MAX_RESOURCE_BYTES}`)).result.contents).toHaveLength(1);
    for (const query of ["?start=-1", "?start=x", "?start=9&end=3"])
      expect((await read(query)).error.code).toBeLessThan(0);
  });
});
