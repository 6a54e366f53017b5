import { type Kysely, type TableMetadata } from "kysely";
import { expect, test } from "vitest";
import { contentMigrations } from "../../src/content/index.ts";
import { mediaMigrations } from "../../src/media/index.ts";
import { notifyMigrations } from "../../src/notify/index.ts";
import { peerMigrations } from "../../src/p2p/index.ts";
import { type Database, type Migration, settingsMigrations } from "../../src/store/index.ts";
import { tenancyMigrations } from "../../src/tenancy/index.ts";
import { transferMigrations } from "../../src/transfer/index.ts";

/** Every domain's migrations, in the order in which a node runs them. */
const DOMAINS: Readonly<Record<string, readonly Migration[]>> = {
  settings: settingsMigrations,
  content: contentMigrations,
  p2p: peerMigrations,
  tenancy: tenancyMigrations,
  notify: notifyMigrations,
  transfer: transferMigrations,
  media: mediaMigrations,
};
const ALL = Object.values(DOMAINS).flat();

/** Each earlier version of each domain's tables, beside the present ones of the others; and the first of all. */
const EARLIER: readonly (readonly [string, readonly Migration[]])[] = [
  ["the first version of everything", Object.values(DOMAINS).flatMap(list => list.slice(0, 1))],
  ...Object.entries(DOMAINS).flatMap(([domain, list]) =>
    list.slice(0, -1).map((migration, at) => {
      const kept = Object.entries(DOMAINS).flatMap(([name, all]) =>
        name === domain ? all.slice(0, at + 1) : all,
      );
      return [migration.id, kept] as const;
    }),
  ),
];
const ROWS = 3;

type Row = Record<string, unknown>;
type AnyTables = Record<string, Row>;

/** Rows of data outlive every step from every earlier version. `open` opens the same database, empty at first in each test. */
export function migrationSuite(open: (migrations: readonly Migration[]) => Promise<Database>): void {
  test.each(EARLIER)("keeps every row of %s when the tables are brought up to date", async (_, earlier) => {
    let before: Map<string, Row[]>;
    {
      await using database = await open(earlier);
      const db = database.tables<AnyTables>();
      const ran = await db.selectFrom("_migrations").select("id").execute();
      expect(ran).toHaveLength(earlier.length);
      const tables = await tablesOf(db);
      for (let row = 0; row < ROWS; row++) for (const table of tables) await fill(db, table, row);
      before = await everything(db, tables);
      expect([...before.values()].every(rows => rows.length === ROWS)).toBe(true);
    }
    // Twice: what has run does not run again.
    await (await open(ALL)).close();
    await using database = await open(ALL);
    const db = database.tables<AnyTables>();
    const tables = await tablesOf(db);
    const after = await everything(db, tables);
    for (const [name, rows] of before) {
      expect([name, after.get(name)]).toEqual([name, rows.map(row => expect.objectContaining(row))]);
    }
    // What is new takes data beside the old.
    for (const table of tables) await fill(db, table, ROWS);
    const added = (await everything(db, tables)).values();
    expect([...added].every(rows => rows.length > 0)).toBe(true);
  });
}

/** The domains' tables, those first that others refer to. */
async function tablesOf(db: Kysely<AnyTables>): Promise<TableMetadata[]> {
  const tables = await db.introspection.getTables();
  return tables
    .filter(({ name }) => name !== "_migrations")
    .toSorted((a, b) => Number(b.name === "tenancy_tenants") - Number(a.name === "tenancy_tenants"));
}

/** A row of its own in each column: numbers beyond 32 bits where they fit, bytes, text that is JSON too. */
async function fill(db: Kysely<AnyTables>, { name, columns }: TableMetadata, row: number): Promise<void> {
  const values = columns.map(({ name: column, dataType }) => [column, valueOf(dataType.toLowerCase(), row)]);
  await db
    .insertInto(name)
    .values(Object.fromEntries(values) as Row)
    .execute();
}

function valueOf(dataType: string, row: number): unknown {
  if (/^(big\s?int|int8)/.test(dataType)) return 5 * 1024 ** 4 + row;
  if (dataType.startsWith("int")) return row;
  if (/double|float|real/.test(dataType)) return row + 0.5;
  if (/blob|bytea/.test(dataType)) return Uint8Array.of(0, 255, row);
  return `"Ünïcode ${row}"`;
}

async function everything(
  db: Kysely<AnyTables>,
  tables: readonly TableMetadata[],
): Promise<Map<string, Row[]>> {
  const all = new Map<string, Row[]>();
  for (const { name, columns } of tables) {
    const rows = await db
      .selectFrom(name)
      .selectAll()
      .orderBy(columns[0]?.name ?? "")
      .execute();
    all.set(
      name,
      rows.map(row => plain(row)),
    );
  }
  return all;
}

/** Values as one database and the other write them. */
function plain(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value),
    ]),
  );
}
