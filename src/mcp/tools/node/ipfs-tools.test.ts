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
import { MAX_RESOURCE_BYTES } from "../../limits.ts";
import { type Json, startTestMcp, type TestMcp } from "../../testing.ts";

const SCOPES = ["basic", "admin", "peers", "content:read", "content:write"];
const overview = async () => ({
  node: { peerId: "12D3KooWtest", version: "1.2.3", contentCount: 2, peers: 1, sessions: 3 },
  viewers: [],
  peers: [{ peer_id: "12D3KooWother", address: "/ip4/192.0.2.1/tcp/4001", direction: "inbound" }],
});

describe("tools under the names of other IPFS servers", () => {
  let directory: string;
  let database: Database;
  let content: ContentService;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "cidcast-ipfs-names-"));
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
  const start = () =>
    startTestMcp({ ipfsNames: true, console: { overview, events: async function* () {} } }, { content });
  const call = async (s: TestMcp, token: string, name: string, args: object = {}): Promise<Json> => {
    const response = await s.mcp.fetch(
      new Request("http://127.0.0.1/mcp", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          authorization: `Bearer ${token}`,
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name, arguments: args },
        }),
      }),
      { principal: ownerPrincipal },
    );
    const { result, error } = (await response.json()) as Json;
    return error ?? (result.isError === true ? result.content[0].text : result.structuredContent);
  };

  test("add, read, list and pin what is the tenant's own", async () => {
    await using s = await start();
    const [a, b] = [await s.t.tenant("A", SCOPES), await s.t.tenant("B", SCOPES)];
    const added = await call(s, a.token, "ipfs_add", { content: "hellö" });
    expect(added).toMatchObject({ success: true, Hash: added.cid, Name: "file.txt", Size: 6 });
    const { cid: hash } = added;
    for (const name of ["ipfs_cat", "ipfs_get"]) {
      expect(await call(s, a.token, name, { hash })).toMatchObject({ content: "hellö", encoding: "utf-8" });
      expect(await call(s, b.token, name, { hash })).toContain(`Neither this node nor a connected peer has`);
    }
    expect(await call(s, a.token, "ipfs_pin_ls")).toEqual({ success: true, pins: [hash], total: 1 });
    expect(await call(s, b.token, "ipfs_pin_ls")).toEqual({ success: true, pins: [], total: 0 });
    expect(await call(s, b.token, "ipfs_pin_rm", { hash })).toContain("Neither this node");
    expect(await call(s, a.token, "ipfs_pin_rm", { hash })).toMatchObject({ Pins: [hash] });
    expect(await call(s, a.token, "ipfs_pin_ls")).toMatchObject({ total: 0 });
    expect(await call(s, a.token, "ipfs_pin_add", { hash })).toMatchObject({ Pins: [hash] });
  });

  test("list directories, and tell bytes that are no text", async () => {
    await using s = await start();
    const { token, tenantId } = await s.t.tenant("A", SCOPES);
    const own = s.t.tenancy.contentView(content, tenantId);
    const of = async function* (bytes: Uint8Array) {
      yield bytes;
    };
    const directory = await own.addDirectory(
      (async function* () {
        yield { path: "a.bin", content: of(Uint8Array.of(0xff, 0)) };
      })(),
    );
    const { cid: hash } = directory;
    expect(await call(s, token, "ipfs_ls", { hash })).toMatchObject({
      entries: [{ Name: "a.bin", Type: "file", Size: 2 }],
    });
    expect(await call(s, token, "ipfs_cat", { hash: `${hash}/a.bin` })).toMatchObject({
      encoding: "base64",
      content: "/wA=",
    });
    const large = await own.add(of(new Uint8Array(MAX_RESOURCE_BYTES + 1)));
    expect(await call(s, token, "ipfs_cat", { hash: large.cid })).toContain("at most");
  });

  test("tell about the node, by scope", async () => {
    await using s = await start();
    const all = await s.t.tenant("A", SCOPES);
    const few = await s.t.tenant("B", []);
    expect(await call(s, all.token, "ipfs_id")).toMatchObject({ ID: "12D3KooWtest" });
    expect(await call(s, all.token, "ipfs_version")).toMatchObject({ Version: "1.2.3" });
    expect(await call(s, all.token, "ipfs_stats")).toMatchObject({ content: 2, peers: 1, sessions: 3 });
    expect(await call(s, all.token, "ipfs_swarm_peers")).toMatchObject({
      Peers: [{ Peer: "12D3KooWother", Addr: "/ip4/192.0.2.1/tcp/4001" }],
    });
    for (const name of ["ipfs_id", "ipfs_stats", "ipfs_swarm_peers", "ipfs_add", "ipfs_pin_ls"]) {
      expect(await call(s, few.token, name, { content: "x" })).toMatchObject({ code: -32403 });
    }
  });

  test("are offered where the setting says so, and nowhere else", async () => {
    await using s = await start();
    await using plain = await startTestMcp({}, { content });
    const names = (of: TestMcp) =>
      [...of.mcp.definition.tools.keys()].filter(name => name.startsWith("ipfs_"));
    expect([names(s).length, names(plain)]).toEqual([11, []]);
  });
});
