import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { backup } from "node:sqlite";
import { type Dialect, Kysely } from "kysely";
import { isCidcastError, CidcastError } from "../core/index.ts";
import { type Migration, migrate, POSTGRES_TYPES, SQLITE_TYPES } from "./migrate.ts";
import { type Durability, nodeSqliteDialect, openSqlite } from "./node-sqlite-dialect.ts";
import { openPostgres } from "./postgres-dialect.ts";

export interface DatabaseInit {
  /** Path of the SQLite file, or `:memory:`. Its directory is made. */
  readonly file: string;
  /** A PostgreSQL database instead of the file: `postgres://user:password@host/name`. One node uses it at a time. */
  readonly url?: string | undefined;
  readonly durability?: Durability;
  /** Every domain's migrations; run before the database is handed out. */
  readonly migrations: readonly Migration[];
  /** Told of losses that the next query makes good. */
  readonly onError?: (error: unknown, what: string) => void;
}

/** The node's database. Domains see it as `Kysely<TheirTables>` through {@link Database.tables}. */
export interface Database extends AsyncDisposable {
  /** The same connection, typed for the caller's own tables. */
  tables<T>(): Kysely<T>;
  /** Copies the database as it is at one moment to a new file; false where it is no file of ours (PostgreSQL). */
  snapshot(file: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens the database and brings its tables up to date. `STORAGE_FAILED` when either cannot be done. */
export async function openDatabase(init: DatabaseInit): Promise<Database> {
  // Never the URL itself: it has a password in it.
  const name = init.url === undefined ? init.file : "databaseUrl";
  const opened = await open(init).catch((cause: unknown) => {
    if (isCidcastError(cause)) throw cause;
    throw new CidcastError("STORAGE_FAILED", `The database ${name} cannot be opened`, { cause });
  });
  const kysely = new Kysely<unknown>({ dialect: opened.dialect });
  let closing: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    try {
      await kysely.destroy();
    } finally {
      await opened.release();
    }
  };
  const close = (): Promise<void> => (closing ??= end());
  try {
    await migrate(kysely, init.migrations, init.url === undefined ? SQLITE_TYPES : POSTGRES_TYPES);
  } catch (cause) {
    await close();
    throw new CidcastError("STORAGE_FAILED", `The tables of ${name} cannot be brought up to date`, { cause });
  }
  return {
    // Which tables exist is known by the migrations of the domain that asks.
    tables: <T>() => kysely as unknown as Kysely<T>,
    snapshot: opened.snapshot,
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface OpenDatabase extends Pick<Database, "snapshot"> {
  readonly dialect: Dialect;
  readonly release: () => Promise<void>;
}

async function open(init: DatabaseInit): Promise<OpenDatabase> {
  if (init.url !== undefined) {
    const postgres = await openPostgres(init.url, init.onError ?? (() => undefined));
    return { ...postgres, snapshot: async () => false };
  }
  if (init.file !== ":memory:") mkdirSync(dirname(init.file), { recursive: true });
  const sqlite = openSqlite(init.file, init.durability);
  return {
    dialect: nodeSqliteDialect(sqlite),
    release: async () => undefined,
    async snapshot(file) {
      await backup(sqlite, file);
      return true;
    },
  };
}
