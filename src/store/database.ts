import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely } from "kysely";
import { CidcastError } from "../core/index.ts";
import { type Migration, migrate } from "./migrate.ts";
import { type Durability, nodeSqliteDialect, openSqlite } from "./node-sqlite-dialect.ts";

export interface DatabaseInit {
  /** Path of the SQLite file, or `:memory:`. Its directory is made. */
  readonly file: string;
  readonly durability?: Durability;
  /** Every domain's migrations; run before the database is handed out. */
  readonly migrations: readonly Migration[];
}

/** The node's database. Domains see it as `Kysely<TheirTables>` through {@link Database.tables}. */
export interface Database extends AsyncDisposable {
  /** The same connection, typed for the caller's own tables. */
  tables<T>(): Kysely<T>;
  close(): Promise<void>;
}

/** Opens the database and brings its tables up to date. `STORAGE_FAILED` when either cannot be done. */
export async function openDatabase(init: DatabaseInit): Promise<Database> {
  let kysely: Kysely<unknown>;
  try {
    if (init.file !== ":memory:") mkdirSync(dirname(init.file), { recursive: true });
    kysely = new Kysely<unknown>({ dialect: nodeSqliteDialect(openSqlite(init.file, init.durability)) });
  } catch (cause) {
    throw new CidcastError("STORAGE_FAILED", `The database ${init.file} cannot be opened`, { cause });
  }
  try {
    await migrate(kysely, init.migrations);
  } catch (cause) {
    await kysely.destroy();
    throw new CidcastError("STORAGE_FAILED", `The tables of ${init.file} cannot be brought up to date`, {
      cause,
    });
  }
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= kysely.destroy());
  return {
    // Which tables exist is known by the migrations of the domain that asks.
    tables: <T>() => kysely as unknown as Kysely<T>,
    close,
    [Symbol.asyncDispose]: close,
  };
}
