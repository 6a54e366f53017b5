import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Kysely } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Migration, openDatabase } from "./index.ts";

interface Tables {
  thing: { id: number; name: string };
}

const makeThing: Migration = {
  id: "thing-0001",
  up: async db => {
    await db.schema.createTable("thing").addColumn("id", "integer").addColumn("name", "text").execute();
  },
};
const fillThing = {
  id: "thing-0002",
  up: async (db: Kysely<unknown>) => {
    // The table was made by the migration before.
    await (db as unknown as Kysely<Tables>).insertInto("thing").values({ id: 1, name: "one" }).execute();
  },
};

describe("openDatabase", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cidcast-store-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test("runs each migration once, and keeps what was written over a restart", async () => {
    const file = join(directory, "sub", "node.db");
    {
      await using database = await openDatabase({ file, migrations: [makeThing] });
      await database.tables<Tables>().insertInto("thing").values({ id: 7, name: "seven" }).execute();
    }
    await using database = await openDatabase({ file, migrations: [makeThing, fillThing] });
    const names = await database.tables<Tables>().selectFrom("thing").select("name").orderBy("id").execute();
    expect(names).toEqual([{ name: "one" }, { name: "seven" }]);
  });

  test("a migration that fails leaves nothing behind and is told", async () => {
    const file = join(directory, "node.db");
    const broken: Migration = {
      id: "thing-0002",
      up: async db => {
        await fillThing.up(db);
        throw new Error("half-way");
      },
    };
    await expect(openDatabase({ file, migrations: [makeThing, broken] })).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
    await using database = await openDatabase({ file, migrations: [makeThing] });
    expect(await database.tables<Tables>().selectFrom("thing").selectAll().execute()).toEqual([]);
  });

  test("a path that cannot be a database is a typed error", async () => {
    await expect(openDatabase({ file: directory, migrations: [] })).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
  });

  test("a transaction that throws is rolled back", async () => {
    await using database = await openDatabase({ file: ":memory:", migrations: [makeThing] });
    const db = database.tables<Tables>();
    await expect(
      db.transaction().execute(async transaction => {
        await transaction.insertInto("thing").values({ id: 1, name: "one" }).execute();
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(await db.selectFrom("thing").selectAll().execute()).toEqual([]);
  });
});
