import {
  type DatabaseConnection,
  PostgresDialect,
  type PostgresDialectConfig,
  PostgresDriver,
  type TransactionSettings,
} from "kysely";
import type { Client, ClientConfig } from "pg";
import { CidcastError } from "../core/index.ts";

/** Connections to PostgreSQL at a time, beside the one that holds the lock. */
const MAX_CONNECTIONS = 10;
/** Longest wait for a connection, milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Time between two tries to take the lock again after its connection was lost, milliseconds. */
const RELOCK_INTERVAL_MS = 1000;
/** Names this program's lock among those of a database: "cidcast" in ASCII, cut to what PostgreSQL takes for two keys. */
const LOCK_KEYS = [0x63696463, 0x617374] as const;
/** OIDs of `int8` and `numeric`: the types that PostgreSQL has for 64 bits, and for sums of them. */
const NUMBERS: ReadonlySet<number> = new Set([20, 1700]);

/** A PostgreSQL database that this process alone uses. */
export interface OpenedPostgres {
  readonly dialect: PostgresDialect;
  /** Lets the next node have it. The dialect closes its own connections. */
  release(): Promise<void>;
}

/** Connects and takes the database. `DATA_DIR_LOCKED` when another node has it. Rejects with the driver's error otherwise. */
export async function openPostgres(
  url: string,
  onError: (error: unknown, what: string) => void,
): Promise<OpenedPostgres> {
  // Loaded here: who keeps everything in SQLite does not need it.
  const { default: pg } = await import("pg");
  const config: ClientConfig = {
    connectionString: url,
    application_name: "cidcast",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };
  const lock = await takeLock(() => new pg.Client(config), onError);
  const pool = new pg.Pool({
    ...config,
    max: MAX_CONNECTIONS,
    types: {
      // Sizes, counts and times all fit a number.
      getTypeParser: (oid, format) =>
        NUMBERS.has(oid)
          ? Number
          : format === "binary"
            ? pg.types.getTypeParser(oid, format)
            : pg.types.getTypeParser(oid, format),
    },
  });
  // An idle connection that breaks is replaced at the next query.
  pool.on("error", error => onError(error, "a connection to the database was lost"));
  return { dialect: new SerialPostgresDialect({ pool }), release: lock.release };
}

/** Holds the lock for as long as the process lives, over losses of its connection. */
async function takeLock(
  connect: () => Client,
  onError: (error: unknown, what: string) => void,
): Promise<{ release(): Promise<void> }> {
  let released = false;
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  const take = async (): Promise<void> => {
    const next = connect();
    next.on("error", error => {
      if (client === next) retake(error);
    });
    try {
      await next.connect();
      const { rows } = await next.query("select pg_try_advisory_lock($1, $2) as held", [...LOCK_KEYS]);
      if (rows[0]?.held !== true) {
        throw new CidcastError("DATA_DIR_LOCKED", "Another node uses the database of databaseUrl");
      }
    } catch (error) {
      await next.end().catch(() => undefined);
      throw error;
    }
    client = next;
  };
  const retake = (error: unknown): void => {
    client = undefined;
    onError(error, "the lock of the database was lost and is taken again");
    const again = async (): Promise<void> => {
      if (released) return;
      try {
        await take();
      } catch (error) {
        retake(error);
      }
    };
    timer = setTimeout(() => void again(), RELOCK_INTERVAL_MS);
    timer.unref();
  };
  await take();
  return {
    async release() {
      released = true;
      clearTimeout(timer);
      const held = client;
      client = undefined;
      // Said, for the server may notice only later that the connection has ended.
      await held?.query("select pg_advisory_unlock($1, $2)", [...LOCK_KEYS]).catch(() => undefined);
      await held?.end().catch(() => undefined);
    },
  };
}

/** Transactions one after the other, as SQLite has them: what reads and then writes in one needs no retries. */
class SerialPostgresDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig;

  constructor(config: PostgresDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createDriver(): PostgresDriver {
    return new SerialPostgresDriver(this.#config);
  }
}

class SerialPostgresDriver extends PostgresDriver {
  #last: Promise<void> = Promise.resolve();
  readonly #running = new Map<DatabaseConnection, () => void>();

  override async beginTransaction(
    connection: DatabaseConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = promise;
    await before;
    this.#running.set(connection, resolve);
    try {
      await super.beginTransaction(connection, settings);
    } catch (error) {
      this.#ended(connection);
      throw error;
    }
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await super.commitTransaction(connection);
    } finally {
      this.#ended(connection);
    }
  }

  override async rollbackTransaction(
    connection: Parameters<PostgresDriver["rollbackTransaction"]>[0],
  ): Promise<void> {
    try {
      await super.rollbackTransaction(connection);
    } finally {
      this.#ended(connection);
    }
  }

  #ended(connection: DatabaseConnection): void {
    this.#running.get(connection)?.();
    this.#running.delete(connection);
  }
}
