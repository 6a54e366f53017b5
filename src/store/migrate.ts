import type { Kysely } from "kysely";

/** One step of a domain's tables. Never changed once released; ids sort in the order of running within a domain. */
export interface Migration {
  /** `<domain>-<number>`, for instance `content-0001`. */
  readonly id: string;
  up(db: Kysely<unknown>): Promise<void>;
}

type MigrationTable = {
  _migrations: { id: string; at_ms: number };
};

/** Runs the migrations that have not run yet, each in its own transaction, in the order given. */
export async function migrate(
  database: Kysely<unknown>,
  migrations: readonly Migration[],
): Promise<string[]> {
  const ids = new Set(migrations.map(migration => migration.id));
  if (ids.size !== migrations.length) throw new Error("two migrations have the same id");
  await database.schema
    .createTable("_migrations")
    .ifNotExists()
    .addColumn("id", "text", column => column.primaryKey())
    .addColumn("at_ms", "integer", column => column.notNull())
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
      await migration.up(transaction);
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
