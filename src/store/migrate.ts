import { type Kysely, type RawBuilder, sql } from "kysely";

/** One step of a domain's tables. Never changed once released; ids sort in the order of running within a domain. */
export interface Migration {
  /** `<domain>-<number>`, for instance `content-0001`. */
  readonly id: string;
  up(db: Kysely<unknown>, types: ColumnTypes): Promise<void>;
}

/** Column types that databases call by different names. */
export interface ColumnTypes {
  readonly binary: RawBuilder<unknown>;
  /** Text that is compared byte by byte, so that ranges of keys are what they look like. */
  readonly key: RawBuilder<unknown>;
}

export const SQLITE_TYPES: ColumnTypes = { binary: sql`blob`, key: sql`text` };
export const POSTGRES_TYPES: ColumnTypes = { binary: sql`bytea`, key: sql`text collate "C"` };

type MigrationTable = {
  _migrations: { id: string; at_ms: number };
};

/** Runs the migrations that have not run yet, each in its own transaction, in the order given. */
export async function migrate(
  database: Kysely<unknown>,
  migrations: readonly Migration[],
  types: ColumnTypes = SQLITE_TYPES,
): Promise<string[]> {
  const ids = new Set(migrations.map(migration => migration.id));
  if (ids.size !== migrations.length) throw new Error("two migrations have the same id");
  await database.schema
    .createTable("_migrations")
    .ifNotExists()
    .addColumn("id", "text", column => column.primaryKey())
    .addColumn("at_ms", "bigint", column => column.notNull())
    .execute();
  const done = new Set(
    (await database.withTables<MigrationTable>().selectFrom("_migrations").select("id").execute()).map(
      row => row.id,
    ),
  );
  const ran: string[] = [];
  for (const migration of migrations) {
    if (done.has(migration.id)) continue;
    await database.transaction().execute(async transaction => {
      await migration.up(transaction, types);
      await transaction
        .withTables<MigrationTable>()
        .insertInto("_migrations")
        .values({ id: migration.id, at_ms: Date.now() })
        .execute();
    });
    ran.push(migration.id);
  }
  return ran;
}
