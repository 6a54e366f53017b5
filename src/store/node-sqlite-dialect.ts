import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { type SqliteDatabase, SqliteDialect, type SqliteStatement } from "kysely";

/** Statements kept prepared per database. */
const MAX_PREPARED = 200;

/** How hard a commit is pushed to the disk. `full` survives a power cut, at an fsync per transaction. */
export type Durability = "process" | "full";

/** Opens a SQLite file with the settings every database of the node has. */
export function openSqlite(file: string, durability: Durability = "process"): DatabaseSync {
  const sqlite = new DatabaseSync(file);
  sqlite.exec("PRAGMA journal_mode = WAL");
  sqlite.exec(`PRAGMA synchronous = ${durability === "full" ? "FULL" : "NORMAL"}`);
  sqlite.exec("PRAGMA foreign_keys = ON");
  sqlite.exec("PRAGMA busy_timeout = 5000");
  return sqlite;
}

/** Kysely's SQLite dialect on Node's own driver: no native module to build. */
export function nodeSqliteDialect(sqlite: DatabaseSync): SqliteDialect {
  const prepared = new Map<string, SqliteStatement>();
  const database: SqliteDatabase = {
    close: () => sqlite.close(),
    prepare(sql) {
      const known = prepared.get(sql);
      if (known !== undefined) return known;
      const statement = sqlite.prepare(sql);
      const wrapped: SqliteStatement = {
        reader: statement.columns().length > 0,
        // Kysely hands over exactly the parameters it collected; node:sqlite checks their types itself.
        all: parameters => statement.all(...(parameters as SQLInputValue[])),
        run: parameters => statement.run(...(parameters as SQLInputValue[])),
        iterate: parameters => statement.iterate(...(parameters as SQLInputValue[])),
      };
      if (prepared.size >= MAX_PREPARED) prepared.clear();
      prepared.set(sql, wrapped);
      return wrapped;
    },
  };
  return new SqliteDialect({ database });
}
