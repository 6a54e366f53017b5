import { type Kysely, sql } from "kysely";
import type { Cancel, Clock, Logger, Metrics } from "../../core/index.ts";
import { AUDIT_FLUSH_MS, AUDIT_PAGE, MAX_PENDING_CALLS } from "../limits.ts";
import { auditedCalls } from "../metrics.ts";
import type { TenancyTables } from "../tables/tables.ts";
import type { AuditRecord, ToolCall } from "../types.ts";
import { CHAIN_START, type ChainBreak, createChainCheck, linkOf } from "./chain.ts";
import { plainText, redactArguments, redactResult } from "./redact.ts";

/** Calls per tool. */
export interface ToolCounts {
  readonly total: number;
  readonly byTool: Readonly<Record<string, { readonly calls: number; readonly errors: number }>>;
}

/** The log of every tool call: append-only, a chain per tenant (`""` is the owner's). */
export interface AuditLog {
  /** Takes a call to be written within 20 ms, together with others. Waits only when too many wait already. */
  record(call: ToolCall): Promise<void>;
  /** Resolves when everything recorded is written. */
  flush(): Promise<void>;
  /** Newest first. */
  recent(tenantId: string, limit: number): Promise<AuditRecord[]>;
  /** Of all tenants and the owner, newest first. */
  recentOfAll(limit: number): Promise<AuditRecord[]>;
  /** Oldest first, everything. */
  export(tenantId: string): AsyncIterable<AuditRecord>;
  /** The first break of the tenant's chain; undefined when it is whole. A cut-off end does not show: keep exports. */
  verify(tenantId: string): Promise<ChainBreak | undefined>;
  /** Counts, of one tenant or of all. */
  counts(tenantId?: string): Promise<ToolCounts>;
  /** Calls and errors of all tenants since then, in steps of `stepMs`, oldest first; steps without calls are left out. */
  series(sinceMs: number, stepMs: number): Promise<CallStep[]>;
  close(): Promise<void>;
}

/** Calls within one step of time. */
export interface CallStep {
  readonly atMs: number;
  readonly calls: number;
  readonly errors: number;
}

interface Head {
  seq: number;
  hash: string;
}

export function createAuditLog(components: {
  readonly db: Kysely<TenancyTables>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly key: Buffer;
}): AuditLog {
  const { db, clock, log, key } = components;
  const written = auditedCalls(components.metrics);
  let pending: ToolCall[] = [];
  let writing: Promise<void> | undefined;
  let timer: Cancel | undefined;

  const headOf = async (transaction: Kysely<TenancyTables>, tenantId: string): Promise<Head> => {
    const row = await transaction
      .selectFrom("tenancy_tool_calls")
      .select(["seq", "hash"])
      .where("tenant_id", "=", tenantId)
      .orderBy("seq", "desc")
      .limit(1)
      .executeTakeFirst();
    return row === undefined ? { seq: 0, hash: CHAIN_START } : { seq: row.seq, hash: row.hash };
  };
  const writeBatch = (batch: readonly ToolCall[]): Promise<void> =>
    db.transaction().execute(async transaction => {
      const heads = new Map<string, Head>();
      const rows = [];
      for (const call of batch) {
        const tenantId = call.tenantId ?? "";
        const head = heads.get(tenantId) ?? (await headOf(transaction, tenantId));
        const record = toRecord(call, { tenantId, seq: head.seq + 1, previousHash: head.hash });
        const hash = linkOf(key, record);
        heads.set(tenantId, { seq: record.seq, hash });
        rows.push(toRow({ ...record, hash }));
      }
      await transaction.insertInto("tenancy_tool_calls").values(rows).execute();
    });
  const drain = async (): Promise<void> => {
    timer?.();
    timer = undefined;
    // At most 50 rows of twelve values: SQLite takes 32,766 values per statement, older ones 999.
    while (pending.length > 0) {
      const batch = pending.slice(0, 50);
      await writeBatch(batch);
      pending = pending.slice(batch.length);
      written.add(batch.length);
    }
  };
  const write = (): Promise<void> => {
    writing ??= drain().finally(() => {
      writing = undefined;
      if (pending.length > 0) schedule();
    });
    return writing;
  };
  const schedule = (): void => {
    timer ??= clock.after(AUDIT_FLUSH_MS, () => {
      timer = undefined;
      write().catch((error: unknown) =>
        log.error({ err: error }, "tool calls could not be written to the audit log"),
      );
    });
  };
  const flush = async (): Promise<void> => {
    while (pending.length > 0) await write();
  };

  return {
    async record(call) {
      if (pending.length >= MAX_PENDING_CALLS) await write();
      pending.push(call);
      schedule();
    },
    flush,
    async recent(tenantId, limit) {
      await flush();
      const rows = await db
        .selectFrom("tenancy_tool_calls")
        .selectAll()
        .where("tenant_id", "=", tenantId)
        .orderBy("seq", "desc")
        .limit(limit)
        .execute();
      return rows.map(fromRow);
    },
    async recentOfAll(limit) {
      await flush();
      const all = db.selectFrom("tenancy_tool_calls").selectAll().orderBy("at_ms", "desc");
      return (await all.limit(limit).execute()).map(fromRow);
    },
    async *export(tenantId) {
      await flush();
      yield* readAll(db, tenantId);
    },
    async verify(tenantId) {
      await flush();
      const check = createChainCheck(key);
      for await (const record of readAll(db, tenantId)) {
        const found = check(record);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    async counts(tenantId) {
      await flush();
      let query = db
        .selectFrom("tenancy_tool_calls")
        .select(["tool", sql<number>`count(*)`.as("calls"), sql<number>`count(error)`.as("errors")])
        .groupBy("tool");
      if (tenantId !== undefined) query = query.where("tenant_id", "=", tenantId);
      const rows = await query.execute();
      const byTool = Object.fromEntries(
        rows.map(row => [row.tool, { calls: row.calls, errors: row.errors }]),
      );
      return { total: rows.reduce((sum, row) => sum + row.calls, 0), byTool };
    },
    async series(sinceMs, stepMs) {
      await flush();
      const step = sql<number>`at_ms / ${sql.lit(stepMs)}`;
      const rows = await db
        .selectFrom("tenancy_tool_calls")
        .select([step.as("step"), sql<number>`count(*)`.as("calls"), sql<number>`count(error)`.as("errors")])
        .where("at_ms", ">=", sinceMs)
        .groupBy(step)
        .orderBy("step")
        .execute();
      return rows.map(row => ({ atMs: row.step * stepMs, calls: row.calls, errors: row.errors }));
    },
    async close() {
      await flush();
      timer?.();
    },
  };
}

async function* readAll(db: Kysely<TenancyTables>, tenantId: string): AsyncGenerator<AuditRecord> {
  for (let after = 0; ; ) {
    const rows = await db
      .selectFrom("tenancy_tool_calls")
      .selectAll()
      .where("tenant_id", "=", tenantId)
      .where("seq", ">", after)
      .orderBy("seq")
      .limit(AUDIT_PAGE)
      .execute();
    for (const row of rows) yield fromRow(row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < AUDIT_PAGE) return;
    after = last.seq;
  }
}

function toRecord(
  call: ToolCall,
  place: Pick<AuditRecord, "tenantId" | "seq" | "previousHash">,
): Omit<AuditRecord, "hash"> {
  return {
    ...place,
    sessionId: call.sessionId ?? "",
    caller: call.caller,
    tool: plainText(call.tool),
    arguments: redactArguments(call.arguments),
    result: redactResult(call.result),
    error: redactResult(call.error),
    durationMs: Math.round(call.durationMs * 1000) / 1000,
    atMs: call.atMs,
  };
}

function toRow(record: AuditRecord): TenancyTables["tenancy_tool_calls"] {
  return {
    seq: record.seq,
    tenant_id: record.tenantId,
    session_id: record.sessionId,
    caller: record.caller,
    tool: record.tool,
    arguments: record.arguments,
    result: record.result ?? null,
    error: record.error ?? null,
    duration_ms: record.durationMs,
    at_ms: record.atMs,
    previous_hash: record.previousHash,
    hash: record.hash,
  };
}

function fromRow(row: TenancyTables["tenancy_tool_calls"]): AuditRecord {
  return {
    seq: row.seq,
    tenantId: row.tenant_id,
    sessionId: row.session_id,
    caller: row.caller,
    tool: row.tool,
    arguments: row.arguments,
    result: row.result ?? undefined,
    error: row.error ?? undefined,
    durationMs: row.duration_ms,
    atMs: row.at_ms,
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}
