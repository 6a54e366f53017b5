import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../store/index.ts";
import { DEFAULT_TRANSFER_PAGE, MAX_FINISHED_TRANSFERS, MAX_TRANSFER_PAGE } from "../limits.ts";
import type { TransferTables } from "./migrations.ts";
import type { Transfer, TransferQuery, TransferState } from "./types.ts";

/** States of transfers that are not over. */
export const OPEN_STATES: readonly TransferState[] = ["waiting", "running", "paused"];

/** Transfers in the database. */
export class TransferStore {
  readonly #db: Kysely<TransferTables>;

  constructor(database: Pick<Database, "tables">) {
    this.#db = database.tables<TransferTables>();
  }

  get db(): Kysely<TransferTables> {
    return this.#db;
  }

  /** Writes a transfer as it is now. */
  async save(transfer: Transfer): Promise<void> {
    const { id, cid, state, createdAtMs, endedAtMs, ...facts } = transfer;
    const row = { state, facts: JSON.stringify(facts), ended_at_ms: endedAtMs ?? null };
    await this.#db
      .insertInto("transfer")
      .values({ id, cid, created_at_ms: createdAtMs, ...row })
      .onConflict(conflict => conflict.column("id").doUpdateSet(row))
      .execute();
  }

  async find(id: string): Promise<Transfer | undefined> {
    const row = await this.#db.selectFrom("transfer").selectAll().where("id", "=", id).executeTakeFirst();
    return row === undefined ? undefined : toTransfer(row);
  }

  async open(): Promise<Transfer[]> {
    const rows = await this.#db
      .selectFrom("transfer")
      .selectAll()
      .where("state", "in", [...OPEN_STATES])
      .orderBy("created_at_ms")
      .execute();
    return rows.map(toTransfer);
  }

  /** Newest first. */
  async list(query: TransferQuery): Promise<{ readonly transfers: Transfer[]; readonly total: number }> {
    const { state, limit = DEFAULT_TRANSFER_PAGE, offset = 0 } = query;
    let matching = this.#db.selectFrom("transfer");
    if (state !== undefined) matching = matching.where("state", "=", state);
    const rows = await matching
      .selectAll()
      .orderBy("created_at_ms", "desc")
      .orderBy("id")
      .limit(Math.min(limit, MAX_TRANSFER_PAGE))
      .offset(offset)
      .execute();
    const { count } = await matching
      .select(({ fn }) => fn.countAll<number | string>().as("count"))
      .executeTakeFirstOrThrow();
    return { transfers: rows.map(toTransfer), total: Number(count) };
  }

  /** Forgets the oldest transfers that are over, beyond those that are kept. */
  async prune(): Promise<void> {
    const first = await this.#db
      .selectFrom("transfer")
      .select("ended_at_ms")
      .where("ended_at_ms", "is not", null)
      .orderBy("ended_at_ms", "desc")
      .offset(MAX_FINISHED_TRANSFERS)
      .limit(1)
      .executeTakeFirst();
    if (first?.ended_at_ms === undefined || first.ended_at_ms === null) return;
    await this.#db.deleteFrom("transfer").where("ended_at_ms", "<=", Number(first.ended_at_ms)).execute();
  }
}

function toTransfer(row: Selectable<TransferTables["transfer"]>): Transfer {
  // Written by `save` alone; what was undefined is left out.
  const facts = JSON.parse(row.facts) as Partial<Transfer>;
  return {
    from: facts.from ?? [],
    protocol: facts.protocol ?? "libp2p",
    pin: facts.pin,
    via: facts.via,
    blocks: facts.blocks ?? 0,
    bytes: facts.bytes ?? 0,
    totalBytes: facts.totalBytes,
    byRung: facts.byRung ?? {},
    rung: facts.rung,
    source: facts.source,
    bytesPerSecond: 0,
    etaSeconds: undefined,
    attempts: facts.attempts ?? [],
    code: facts.code,
    message: facts.message,
    id: row.id,
    cid: row.cid,
    // The column holds nothing else.
    state: row.state as TransferState,
    createdAtMs: Number(row.created_at_ms),
    endedAtMs: row.ended_at_ms === null ? undefined : Number(row.ended_at_ms),
  };
}
