import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../store/index.ts";
import { DEFAULT_TRANSFER_PAGE, MAX_FINISHED_TRANSFERS, MAX_TRANSFER_PAGE } from "../limits.ts";
import type { TransferTables } from "./migrations.ts";
import type { Transfer, TransferQuery, TransferState } from "./types.ts";

/** States of transfers that are not over. */
export const OPEN_STATES: readonly TransferState[] = ["waiting", "running", "paused"];

/** Keeps the tokens of sources from who reads the database alone. */
export interface TokenBox {
  /** What is sealed opens only under the same place. */
  seal(text: string, place: readonly string[]): string;
  open(sealed: string, place: readonly string[]): string;
}

/** A transfer and the token of its sources. */
export interface StoredTransfer {
  readonly transfer: Transfer;
  readonly token: string | undefined;
}

/** What a row holds besides a transfer's own facts. */
type Facts = Partial<Transfer> & { readonly sealedToken?: string };

/** Transfers in the database. */
export class TransferStore {
  readonly #db: Kysely<TransferTables>;

  readonly #box: TokenBox | undefined;

  /** Without a box tokens are not kept. */
  constructor(database: Pick<Database, "tables">, box: TokenBox | undefined) {
    this.#db = database.tables<TransferTables>();
    this.#box = box;
  }

  get db(): Kysely<TransferTables> {
    return this.#db;
  }

  /** Writes a transfer as it is now, its token sealed; one that nobody goes on with keeps none. */
  async save(transfer: Transfer, token: string | undefined): Promise<void> {
    const { id, cid, state, createdAtMs, endedAtMs, ...facts } = transfer;
    const isOver = state === "completed" || state === "cancelled";
    const sealedToken = token === undefined || isOver ? undefined : this.#box?.seal(token, placeOf(id));
    const kept: Facts = { ...facts, ...(sealedToken !== undefined && { sealedToken }) };
    const row = { state, facts: JSON.stringify(kept), ended_at_ms: endedAtMs ?? null };
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

  /** The token of a transfer's sources; undefined where it has none, or it cannot be opened any more. */
  async tokenOf(id: string): Promise<string | undefined> {
    const row = await this.#db.selectFrom("transfer").selectAll().where("id", "=", id).executeTakeFirst();
    return row === undefined ? undefined : this.#tokenIn(row);
  }

  async open(): Promise<StoredTransfer[]> {
    const rows = await this.#db
      .selectFrom("transfer")
      .selectAll()
      .where("state", "in", [...OPEN_STATES])
      .orderBy("created_at_ms")
      .execute();
    return rows.map(row => ({ transfer: toTransfer(row), token: this.#tokenIn(row) }));
  }

  #tokenIn(row: Selectable<TransferTables["transfer"]>): string | undefined {
    const { sealedToken } = JSON.parse(row.facts) as Facts;
    if (sealedToken === undefined) return undefined;
    try {
      return this.#box?.open(sealedToken, placeOf(row.id));
    } catch {
      // Sealed with another key: the sources ask for a token then, and the attempts say so.
      return undefined;
    }
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

function placeOf(id: string): string[] {
  return ["transfer", id];
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
