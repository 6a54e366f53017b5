import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isCidcastError } from "../../../src/core/index.ts";
import { openDatabase } from "../../../src/store/index.ts";
import { serveNode } from "../../contract/node/serve-node.ts";
import { databaseSuite } from "../../suites/database.ts";
import { migrationSuite } from "../../suites/migrations.ts";
import { findPostgres, PostgresServer } from "./postgres-server.ts";

const found = findPostgres();
let server: PostgresServer;
let count = 0;
let url: string;

beforeAll(async () => {
  if (typeof found !== "string") server = await PostgresServer.create(found);
});
afterAll(async () => server?.[Symbol.asyncDispose]());
/** An empty database for each test. */
beforeEach(async ctx => {
  if (typeof found === "string") return ctx.skip(found);
  const name = `test_${count++}`;
  const client = new pg.Client(server.url("postgres"));
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  url = server.url(name);
  return undefined;
});

describe("a PostgreSQL database", () => {
  describe("does what every database does:", () => {
    databaseSuite(migrations => openDatabase({ file: "unused", url, migrations }));
  });
  describe("of an earlier version", () => {
    migrationSuite(migrations => openDatabase({ file: "unused", url, migrations }));
  });

  test("has one node at a time", async () => {
    await using database = await openDatabase({ file: "unused", url, migrations: [] });
    const second = openDatabase({ file: "unused", url, migrations: [] });
    await expect(second).rejects.toMatchObject({ code: "DATA_DIR_LOCKED" });
    await database.close();
    await (await openDatabase({ file: "unused", url, migrations: [] })).close();
  });

  test("that cannot be reached is a typed error without its password", async () => {
    const wrong = url.replace("cidcast@", "cidcast:the-password@").replace(/:\d+\//, ":1/");
    const error = await openDatabase({ file: "unused", url: wrong, migrations: [] }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "STORAGE_FAILED" });
    expect(JSON.stringify([error, String(error)])).not.toContain("the-password");
  });

  test("that was away serves again, and is still this node's alone", async () => {
    const told: string[] = [];
    const { promise: lost, resolve } = Promise.withResolvers<void>();
    await using database = await openDatabase({
      file: "unused",
      url,
      migrations: [],
      onError: (_error, what) => {
        told.push(what);
        if (what.includes("lock")) resolve();
      },
    });
    const ask = () => database.tables<{ _migrations: object }>().selectFrom("_migrations").execute();
    await ask();
    await server.stop();
    await lost;
    await expect(ask()).rejects.toThrow(/connect/i);
    await server.start();
    await ask();
    // Taken again within a second or so.
    let other: unknown;
    while (!isCidcastError(other)) {
      other = await openDatabase({ file: "unused", url, migrations: [] }).then(
        taken => taken.close(),
        (error: unknown) => error,
      );
    }
    expect(other.code).toBe("DATA_DIR_LOCKED");
    expect(told.length).toBeGreaterThan(0);
  });
});

describe("a node on PostgreSQL", () => {
  test("adds, serves tenants, and knows it all after a restart", async () => {
    const body = "kept in PostgreSQL";
    let dataDir = "";
    let token = "";
    let cid = "";
    let peerId: string | undefined;
    const config = { databaseUrl: url, p2p: { enabled: true } };
    const outer = await serveNode(config);
    dataDir = outer.dataDir;
    {
      const { node, url: at } = outer;
      peerId = node.peer?.id;
      const { id: tenantId } = await node.tenancy!.tenants.create({ name: "acme" });
      const scopes = ["content:read", "content:write"];
      ({ token } = await node.tenancy!.tokens.create({ tenantId, scopes, expiresInDays: 1 }));
      const headers = { authorization: `Bearer ${token}` };
      const added = await fetch(`${at}/api/v0/add?name=a.txt`, { method: "POST", headers, body });
      ({ cid } = (await added.json()) as { cid: string });
      await expect(serveNode(config)).rejects.toMatchObject({ code: "DATA_DIR_LOCKED" });
      await node.stop();
    }
    {
      await using again = await serveNode({ ...config, dataDir });
      expect(again.node.peer?.id).toBe(peerId);
      const headers = { authorization: `Bearer ${token}` };
      const read = await fetch(`${again.url}/ipfs/${cid}`, { headers });
      expect([read.status, await read.text()]).toEqual([200, body]);
      expect((await fetch(`${again.url}/api/v0/content`)).status).toBe(200);
    }
    await outer[Symbol.asyncDispose]();
  });
});
