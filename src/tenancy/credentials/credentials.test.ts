import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDatabase } from "../../store/index.ts";
import { MIN_PASSPHRASE_LENGTH } from "../limits.ts";
import { tenancyMigrations } from "../tables/migrations.ts";
import type { TenancyTables } from "../tables/tables.ts";
import { startTestTenancy } from "../testing.ts";
import { createSecretBox, keyFromText } from "./secret-box.ts";

describe("credentials", () => {
  let keyDirectory: string;
  beforeEach(() => {
    keyDirectory = mkdtempSync(join(tmpdir(), "cidcast-keys-"));
  });
  afterEach(() => rmSync(keyDirectory, { recursive: true }));
  const at = (tenantId: string) => ({ tenantId, toolName: "secure_api", credentialKey: "api_key" });

  test("a value is sealed on disk, comes back for its place only, and is never in a list", async () => {
    await using t = await startTestTenancy({ keyDirectory });
    const [a, b] = [await t.tenant("A", []), await t.tenant("B", [])];
    await t.tenancy.credentials.store(at(a.tenantId), "first");
    const info = await t.tenancy.credentials.store(at(a.tenantId), "the secret");
    expect(await t.tenancy.credentials.value(at(a.tenantId))).toBe("the secret");
    expect(await t.tenancy.credentials.value(at(b.tenantId))).toBeUndefined();
    expect(await t.tenancy.credentials.list(a.tenantId)).toEqual([info]);
    expect(JSON.stringify(info)).not.toContain('secret"');
    const db = t.database.tables<TenancyTables>();
    const stored = await db.selectFrom("tenancy_credentials").selectAll().execute();
    expect(stored).toHaveLength(1);
    expect(JSON.stringify(stored)).not.toContain("the secret");
    expect(statSync(join(keyDirectory, "encryption-key")).mode & 0o777).toBe(0o600);
    await t.tenancy.credentials.remove(info.id);
    expect(await t.tenancy.credentials.value(at(a.tenantId))).toBeUndefined();
    await expect(t.tenancy.credentials.remove(info.id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(t.tenancy.credentials.store(at("nobody"), "x")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a row moved to another tenant, or changed, does not open", async () => {
    await using t = await startTestTenancy({ keyDirectory });
    const [a, b] = [await t.tenant("A", []), await t.tenant("B", [])];
    await t.tenancy.credentials.store(at(a.tenantId), "the secret");
    const db = t.database.tables<TenancyTables>();
    await db.updateTable("tenancy_credentials").set({ tenant_id: b.tenantId }).execute();
    await expect(t.tenancy.credentials.value(at(b.tenantId))).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
  });

  test("rotation makes a new key and every value still opens", async () => {
    await using database = await openDatabase({ file: ":memory:", migrations: tenancyMigrations });
    let tenantId: string;
    const before = join(keyDirectory, "encryption-key");
    {
      await using t = await startTestTenancy({ keyDirectory, database });
      ({ tenantId } = await t.tenant("A", []));
      await t.tenancy.credentials.store(at(tenantId), "the secret");
      const old = readFileSync(before, "utf8");
      const { resealed, keyId } = await t.tenancy.credentials.rotate();
      expect(resealed).toBe(1);
      expect(readFileSync(before, "utf8")).not.toBe(old);
      const row = await database
        .tables<TenancyTables>()
        .selectFrom("tenancy_credentials")
        .selectAll()
        .executeTakeFirst();
      expect(row?.sealed).toContain(`v1.${keyId}.`);
      expect(await t.tenancy.credentials.value(at(tenantId))).toBe("the secret");
    }
    // A crash after the new key was made and before the rows were sealed anew.
    writeFileSync(`${before}.next`, `${Buffer.alloc(32, 7).toString("base64url")}\n`, { mode: 0o600 });
    await using again = await startTestTenancy({ keyDirectory, database });
    expect(await again.tenancy.credentials.value(at(tenantId))).toBe("the secret");
    expect(readFileSync(before, "utf8")).toBe(`${Buffer.alloc(32, 7).toString("base64url")}\n`);
  });

  test("what is stored and read while the keys change opens afterwards", async () => {
    await using database = await openDatabase({ file: ":memory:", migrations: tenancyMigrations });
    const places: ReturnType<typeof at>[] = [];
    {
      await using t = await startTestTenancy({ keyDirectory, database });
      const { tenantId } = await t.tenant("A", []);
      const { credentials } = t.tenancy;
      const place = (i: number) => ({ tenantId, toolName: "secure_api", credentialKey: `k${i}` });
      await credentials.store(place(0), "value 0");
      const work: Promise<unknown>[] = [];
      for (let i = 1; i <= 12; i++) {
        work.push(credentials.store(place(i), `value ${i}`));
        if (i % 3 === 0) work.push(credentials.rotate());
        work.push(credentials.value(place(0)).then(value => expect(value).toBe("value 0")));
        places.push(place(i));
      }
      await Promise.all(work);
    }
    // A new process has the last key alone.
    await using again = await startTestTenancy({ keyDirectory, database });
    for (const [i, place] of places.entries()) {
      expect(await again.tenancy.credentials.value(place)).toBe(`value ${i + 1}`);
    }
  });

  test("a rotation that cannot be ended keeps both keys, and a new one ends it", async () => {
    await using database = await openDatabase({ file: ":memory:", migrations: tenancyMigrations });
    const db = database.tables<TenancyTables>();
    let tenantId: string;
    {
      await using t = await startTestTenancy({ keyDirectory, database });
      ({ tenantId } = await t.tenant("A", []));
      await t.tenancy.credentials.store(at(tenantId), "the secret");
      await t.tenancy.credentials.store({ ...at(tenantId), credentialKey: "damaged" }, "lost");
      const damaged = db.updateTable("tenancy_credentials").where("credential_key", "=", "damaged");
      await damaged.set({ sealed: "v1.00000000.AAAA" }).execute();
      await expect(t.tenancy.credentials.rotate()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      expect(await t.tenancy.credentials.value(at(tenantId))).toBe("the secret");
    }
    await using again = await startTestTenancy({ keyDirectory, database });
    expect(await again.tenancy.credentials.value(at(tenantId))).toBe("the secret");
    await db.deleteFrom("tenancy_credentials").where("credential_key", "=", "damaged").execute();
    expect(await again.tenancy.credentials.rotate()).toMatchObject({ resealed: 1 });
    expect(existsSync(join(keyDirectory, "encryption-key.next"))).toBe(false);
    expect(await again.tenancy.credentials.value(at(tenantId))).toBe("the secret");
  });

  test("a key that others may read, or a damaged one, is refused", async () => {
    const file = join(keyDirectory, "encryption-key");
    writeFileSync(file, "x", { mode: 0o644 });
    await expect(startTestTenancy({ keyDirectory })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    renameSync(file, `${file}.old`);
    writeFileSync(file, "x", { mode: 0o600 });
    await expect(startTestTenancy({ keyDirectory })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  test("keys are taken in hex, both base64 alphabets, or as a long passphrase", () => {
    const bytes = Buffer.alloc(32, 0xfb);
    for (const text of [bytes.toString("hex"), bytes.toString("base64"), bytes.toString("base64url")]) {
      expect(keyFromText(text)).toEqual(bytes);
    }
    expect(keyFromText("a passphrase of many words")).toHaveLength(32);
    expect(keyFromText("a".repeat(MIN_PASSPHRASE_LENGTH))).toHaveLength(32);
    expect(() => keyFromText("a".repeat(MIN_PASSPHRASE_LENGTH - 1))).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG" }),
    );
    const [old, next] = [createSecretBox([bytes]), createSecretBox([Buffer.alloc(32, 1), bytes])];
    const sealed = old.seal("text", ["place"]);
    expect([next.open(sealed, ["place"]), next.isCurrent(sealed)]).toEqual(["text", false]);
    expect(() => next.open(sealed.slice(0, -4), ["place"])).toThrow("was changed");
  });
});
