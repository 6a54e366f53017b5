import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Key } from "interface-datastore";
import { type Kysely, sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { contentMigrations } from "../../src/content/index.ts";
import { RecordStore } from "../../src/content/records/record-store.ts";
import { ownerPrincipal } from "../../src/core/index.ts";
import { DatabaseDatastore } from "../../src/p2p/identity/database-datastore.ts";
import type { PeerTables } from "../../src/p2p/identity/migrations.ts";
import { peerMigrations } from "../../src/p2p/index.ts";
import { createSettings, type Database, type Migration, settingsMigrations } from "../../src/store/index.ts";
import { tenancyMigrations } from "../../src/tenancy/index.ts";
import { startTestTenancy, type TestTenancy } from "../../src/tenancy/testing.ts";

/** Every domain's migrations, in the order in which a node runs them. */
const ALL: readonly Migration[] = [
  ...settingsMigrations,
  ...contentMigrations,
  ...peerMigrations,
  ...tenancyMigrations,
];
const CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
/** More than 32 bits hold. */
const LARGE = 5 * 1024 ** 4 + 1;

/** What every domain needs of a database. `open` opens the same, empty at first in each test. */
export function databaseSuite(open: (migrations: readonly Migration[]) => Promise<Database>): void {
  let database: Database;
  let keyDirectory: string;
  beforeEach(async () => {
    keyDirectory = mkdtempSync(join(tmpdir(), "cidcast-suite-keys-"));
    database = await open(ALL);
  });
  afterEach(async () => {
    await database.close();
    rmSync(keyDirectory, { recursive: true, force: true });
  });
  const reopen = async (migrations = ALL): Promise<void> => {
    await database.close();
    database = await open(migrations);
  };

  test("keeps settings over a restart", async () => {
    const settings = createSettings(database);
    await settings.set("a", "1");
    await settings.set("a", "2 ü \u{1F600}");
    await reopen();
    expect(await createSettings(database).get("a")).toBe("2 ü \u{1F600}");
    expect(await createSettings(database).get("b")).toBeUndefined();
  });

  test("runs a later migration on tables with data, once", async () => {
    await createSettings(database).set("kept", "yes");
    const later: Migration = {
      id: "settings-9999",
      up: async db => {
        await db.schema
          .alterTable("settings")
          .addColumn("note", "text", column => column.notNull().defaultTo("none"))
          .execute();
      },
    };
    await reopen([...ALL, later]);
    await reopen([...ALL, later]);
    const rows = await database
      .tables<{ settings: { key: string; value: string; note: string } }>()
      .selectFrom("settings")
      .selectAll()
      .execute();
    expect(rows).toEqual([{ key: "kept", value: "yes", note: "none" }]);
  });

  test("leaves nothing of a migration that failed", async () => {
    const broken: Migration = {
      id: "settings-9999",
      up: async db => {
        await db.schema.createTable("half").addColumn("id", "integer").execute();
        throw new Error("half-way");
      },
    };
    await database.close();
    await expect(open([...ALL, broken])).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    database = await open(ALL);
    await expect(sql`select * from half`.execute(database.tables())).rejects.toThrow(/half/);
  });

  test("takes back what a transaction did that failed, and runs transactions one after the other", async () => {
    const db = database.tables<{ settings: { key: string; value: string } }>();
    await db.insertInto("settings").values({ key: "n", value: "0" }).execute();
    const add = (fails: boolean) =>
      db.transaction().execute(async trx => {
        const { value } = await trx.selectFrom("settings").selectAll().executeTakeFirstOrThrow();
        await trx
          .updateTable("settings")
          .set({ value: String(Number(value) + 1) })
          .execute();
        if (fails) throw new Error("no");
      });
    const done = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => add(n % 4 === 0)));
    expect(done.filter(({ status }) => status === "rejected")).toHaveLength(10);
    expect(await createSettings(database).get("n")).toBe("30");
  });

  test("keeps records and pins of content", async () => {
    const records = new RecordStore(database);
    const record = {
      cid: CID,
      name: "Ünïcode 100%_.mp4",
      size: LARGE,
      contentType: "video/mp4",
      addedAtMs: 1_800_000_000_000,
    };
    const saved = await Promise.all(
      Array.from({ length: 8 }, (_, n) => records.save({ record, pin: `p${n % 2}` })),
    );
    expect(saved.filter(({ added }) => added)).toHaveLength(1);
    await records.setMedia(CID, { tracks: [] });
    expect(await records.record(CID)).toEqual({ ...record, media: { tracks: [] } });
    for (const [search, found] of [
      ["CODE 100%_", 1],
      ["100%x", 0],
      ["_", 1],
      [CID.slice(0, 9), 1],
      ["\\", 0],
    ] as const) {
      expect([search, (await records.list({ search })).total]).toEqual([search, found]);
    }
    expect((await records.pins()).map(({ name }) => name)).toEqual(["p0", "p1"]);
    expect(await records.unpinnedRecords()).toEqual([]);
    expect(await records.remove(CID)).toEqual({
      pins: expect.arrayContaining(["p0", "p1"]),
      hadRecord: true,
    });
  });

  test("keeps the peer's records: bytes as they are, keys in ranges", async () => {
    const store = new DatabaseDatastore(database.tables<PeerTables>());
    const value = Uint8Array.from({ length: 256 }, (_, n) => n);
    for (const key of ["/peers/A", "/peers/a", "/peers-b", "/peer", "/peers/\u{1F600}"]) {
      await store.put(new Key(key), value);
      await store.put(new Key(key), value);
    }
    const found: string[] = [];
    for await (const { key, value: bytes } of store.query({ prefix: "/peers/" })) {
      found.push(key.toString());
      expect(Uint8Array.from(bytes)).toEqual(value);
    }
    expect(found).toEqual(["/peers/A", "/peers/a", "/peers/\u{1F600}"]);
    await store.delete(new Key("/peers/A"));
    expect(await store.has(new Key("/peers/A"))).toBe(false);
  });

  describe("tenancy", () => {
    let t: TestTenancy;
    beforeEach(async () => {
      t = await startTestTenancy({ database, keyDirectory });
    });
    afterEach(() => t[Symbol.asyncDispose]());
    const restart = async (): Promise<void> => {
      await t[Symbol.asyncDispose]();
      await reopen();
      t = await startTestTenancy({ database, keyDirectory });
    };

    test("knows tenants, quotas and tokens after a restart, and not those that ended", async () => {
      const a = await t.tenant("A", ["media"]);
      const b = await t.tenant("B", []);
      await t.tenancy.tenants.setQuotas(a.tenantId, { storage_bytes: LARGE });
      await t.tenancy.revokeToken(b.tokenId);
      await restart();
      expect((await t.tenancy.tenants.get(a.tenantId)).quotas).toEqual({ storage_bytes: LARGE });
      expect(t.tenancy.quotas.storageLimit(a.tenantId)).toBe(LARGE);
      const principal = await t.tenancy.resolveToken(a.token, { door: "http" });
      expect(principal.tenantId).toBe(a.tenantId);
      await expect(t.tenancy.resolveToken(b.token, { door: "http" })).rejects.toThrow("Invalid");
      const listed = await t.tenancy.tenants.list();
      const active = new Map(listed.tenants.map(each => [each.name, each.activeTokens]));
      expect([active.size, active.get("A"), active.get("B")]).toEqual([2, 1, 0]);
      const ofB = await t.tenancy.tokens.list({ tenantId: b.tenantId });
      expect(ofB).toMatchObject({ tokens: [{ active: false }], total: 1, next: undefined });
      const first = await t.tenancy.tokens.list({ limit: 1 });
      const second = await t.tenancy.tokens.list({ limit: 1, after: first.next });
      expect([first.total, second.next]).toEqual([2, undefined]);
      expect(new Set([...first.tokens, ...second.tokens].map(({ id }) => id))).toEqual(
        new Set([a.tokenId, b.tokenId]),
      );
    });

    test("keeps and rotates credentials, sealed", async () => {
      const { tenantId } = await t.tenant("A", []);
      const at = { tenantId, toolName: "web", credentialKey: "key" };
      await t.tenancy.credentials.store(at, "one");
      await t.tenancy.credentials.store(at, "two ü");
      expect((await t.tenancy.credentials.rotate()).resealed).toBe(1);
      await restart();
      expect(await t.tenancy.credentials.value(at)).toBe("two ü");
      const [info] = await t.tenancy.credentials.list(tenantId);
      await t.tenancy.credentials.remove(info!.id);
      expect(await t.tenancy.credentials.value(at)).toBeUndefined();
    });

    test("chains calls whatever is in them, and tells what was changed", async () => {
      const { tenantId } = await t.tenant("A", []);
      const texts = ["plain", "zero \0 byte", "half \uD83D character", "ü \u{1F600}", "x".repeat(5000)];
      for (const [n, text] of texts.entries()) {
        await t.tenancy.audit.record({
          tenantId,
          sessionId: undefined,
          caller: "test",
          tool: `tool ${text.slice(0, 20)}`,
          arguments: { text },
          result: text,
          error: n === 3 ? text : undefined,
          durationMs: 123_456.789 + n,
          atMs: 1_800_000_000_000 + n,
        });
      }
      expect(await t.tenancy.audit.verify(tenantId)).toBeUndefined();
      await restart();
      expect(await t.tenancy.audit.verify(tenantId)).toBeUndefined();
      expect(await t.tenancy.audit.counts(tenantId)).toMatchObject({ total: texts.length });
      expect(await t.tenancy.audit.series(1_800_000_000_001, 2)).toEqual([
        { atMs: 1_800_000_000_000, calls: 1, errors: 0 },
        { atMs: 1_800_000_000_002, calls: 2, errors: 1 },
        { atMs: 1_800_000_000_004, calls: 1, errors: 0 },
      ]);
      expect((await t.tenancy.audit.recent(tenantId, 1))[0]).toMatchObject({ durationMs: 123_460.789 });
      const db: Kysely<{ tenancy_tool_calls: { seq: number; result: string } }> = database.tables();
      await db.updateTable("tenancy_tool_calls").set({ result: "other" }).where("seq", "=", 2).execute();
      expect(await t.tenancy.audit.verify(tenantId)).toEqual({ seq: 2, reason: "changed" });
    });

    test("counts sessions, and closes those that a crash left open", async () => {
      const { token } = await t.tenant("A", []);
      const principal = await t.tenancy.resolveToken(token, { door: "ws" });
      const session = t.tenancy.sessions.open(principal, "websocket");
      session.identify("a \0 client");
      t.tenancy.sessions.open(principal, "websocket");
      session.close();
      expect(await t.tenancy.sessions.counts()).toEqual({ total: 2, active: 1 });
      await restart();
      expect(await t.tenancy.sessions.counts()).toEqual({ total: 2, active: 0 });
    });

    test("knows whose content is whose, and how much it is", async () => {
      const [a, b] = [await t.tenant("A", []), await t.tenant("B", [])];
      const record = { cid: CID, name: "50%_of.mp4", size: LARGE, contentType: "video/mp4" };
      await t.tenancy.content.grant(a.tenantId, record);
      await t.tenancy.content.grant(a.tenantId, { ...record, name: "100%_OF.mp4" });
      await t.tenancy.content.grant(b.tenantId, { ...record, name: undefined });
      const total = async (search: string) =>
        (await t.tenancy.content.list(a.tenantId, { search, limit: 10, offset: 0 })).total;
      expect(await Promise.all(["%_of", "%x", "_", CID.slice(0, 5), "50"].map(total))).toEqual([
        1, 0, 1, 1, 0,
      ]);
      expect(await t.tenancy.content.usedBytes(a.tenantId)).toBe(LARGE);
      expect(await t.tenancy.content.revoke(a.tenantId, CID)).toBe(false);
      expect(await t.tenancy.content.revoke(b.tenantId, CID)).toBe(true);
      expect(await t.tenancy.content.usedBytes(a.tenantId)).toBe(0);
      await expect(t.tenancy.content.revoke(a.tenantId, CID)).rejects.toMatchObject({
        code: "CONTENT_NOT_FOUND",
      });
    });

    test("keeps playback tokens until they end", async () => {
      const init = { cid: CID, expiresInSeconds: 60, maxQuality: "low" } as const;
      const made = await t.tenancy.playback.create(ownerPrincipal, init);
      await restart();
      const options = { door: "http", playback: true } as const;
      expect(await t.tenancy.resolveToken(made.token, options)).toMatchObject({
        capability: { cids: [CID], maxQuality: "low" },
      });
      await t.tenancy.playback.revoke(ownerPrincipal, made.id);
      await expect(t.tenancy.playback.revoke(ownerPrincipal, randomUUID())).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
      await restart();
      await expect(t.tenancy.resolveToken(made.token, options)).rejects.toThrow("Invalid");
    });
  });
}
