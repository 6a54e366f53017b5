import { randomUUID } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { CidcastError, type Clock, type Logger, type Principal } from "../../core/index.ts";
import { MAX_CLOSED_SESSIONS, MAX_LIST_ROWS, MAX_SESSIONS, MAX_SESSIONS_PER_TENANT } from "../limits.ts";
import { plainText } from "../audit/redact.ts";
import type { TenancyTables } from "../tables/tables.ts";
import { tokenIdOf } from "../tokens/live-tokens.ts";
import type { SessionInfo } from "../types.ts";

/** Sessions closed between two looks for those that are too many. */
const PRUNE_EVERY = 1_000;

/** An open session. It belongs to the principal that opened it and to nobody else. */
export interface Session {
  readonly id: string;
  readonly principal: Principal;
  /** The client has told its name. */
  identify(clientName: string): void;
  touch(): void;
  close(): void;
}

export interface SessionCounts {
  readonly total: number;
  readonly active: number;
}

/** Sessions of clients at all doors. */
export interface SessionStore {
  /** `BUSY` or `LIMIT_REACHED` when there are too many. */
  open(principal: Principal, door: string): Session;
  /** Open ones, newest first, of one tenant or of all. */
  active(tenantId?: string): SessionInfo[];
  counts(tenantId?: string): Promise<SessionCounts>;
  /** Closes what a crash left open, and removes the oldest closed ones. */
  start(): Promise<void>;
  close(): Promise<void>;
}

interface Entry {
  readonly id: string;
  readonly principal: Principal;
  readonly door: string;
  readonly createdAtMs: number;
  clientName: string | undefined;
  lastSeenAtMs: number;
}

export function createSessionStore(components: {
  readonly db: Kysely<TenancyTables>;
  readonly clock: Clock;
  readonly log: Logger;
}): SessionStore {
  const { db, clock, log } = components;
  const open = new Map<string, Entry>();
  const perTenant = new Map<string, number>();
  let closed = 0;
  /** Writes follow each other, so that a session is never closed before it is there. */
  let writes: Promise<void> = Promise.resolve();
  const write = (work: () => Promise<unknown>): void => {
    writes = writes.then(work).then(
      () => undefined,
      (error: unknown) => log.warn({ err: error }, "a session was not written down"),
    );
  };
  const leave = (entry: Entry): void => {
    if (!open.delete(entry.id)) return;
    const tenantId = entry.principal.tenantId ?? "";
    const left = (perTenant.get(tenantId) ?? 1) - 1;
    if (left === 0) perTenant.delete(tenantId);
    else perTenant.set(tenantId, left);
    write(() =>
      db
        .updateTable("tenancy_sessions")
        .set({
          closed_at_ms: clock.now(),
          last_seen_at_ms: entry.lastSeenAtMs,
          client_name: entry.clientName ?? null,
        })
        .where("id", "=", entry.id)
        .execute(),
    );
    closed += 1;
    if (closed % PRUNE_EVERY === 0) write(prune);
  };
  /** Forgets the oldest closed sessions beyond the limit. */
  const prune = async (): Promise<void> => {
    const kept = db
      .selectFrom("tenancy_sessions")
      .select("id")
      .where("closed_at_ms", "is not", null)
      .orderBy("closed_at_ms", "desc")
      .limit(MAX_CLOSED_SESSIONS);
    await db
      .deleteFrom("tenancy_sessions")
      .where("closed_at_ms", "is not", null)
      .where("id", "not in", kept)
      .execute();
  };

  return {
    open(principal, door) {
      const tenantId = principal.tenantId ?? "";
      if (open.size >= MAX_SESSIONS)
        throw new CidcastError("BUSY", `The node has ${MAX_SESSIONS} open sessions`);
      const ofTenant = perTenant.get(tenantId) ?? 0;
      if (ofTenant >= MAX_SESSIONS_PER_TENANT) {
        throw new CidcastError(
          "LIMIT_REACHED",
          `A tenant has at most ${MAX_SESSIONS_PER_TENANT} open sessions`,
        );
      }
      const nowMs = clock.now();
      const entry: Entry = {
        id: randomUUID(),
        principal,
        door,
        createdAtMs: nowMs,
        clientName: undefined,
        lastSeenAtMs: nowMs,
      };
      open.set(entry.id, entry);
      perTenant.set(tenantId, ofTenant + 1);
      write(() =>
        db
          .insertInto("tenancy_sessions")
          .values({
            id: entry.id,
            tenant_id: tenantId,
            token_id: tokenIdOf(principal) ?? "",
            door,
            client_name: null,
            created_at_ms: nowMs,
            last_seen_at_ms: nowMs,
            closed_at_ms: null,
          })
          .execute(),
      );
      return {
        id: entry.id,
        principal,
        identify(clientName) {
          entry.clientName = plainText(clientName.slice(0, 200));
        },
        touch() {
          entry.lastSeenAtMs = clock.now();
        },
        close: () => leave(entry),
      };
    },
    active(tenantId) {
      return [...open.values()]
        .filter(entry => tenantId === undefined || (entry.principal.tenantId ?? "") === tenantId)
        .toReversed()
        .slice(0, MAX_LIST_ROWS)
        .map(entry => ({
          id: entry.id,
          tenantId: entry.principal.tenantId,
          tokenId: tokenIdOf(entry.principal),
          door: entry.door,
          clientName: entry.clientName,
          createdAtMs: entry.createdAtMs,
          lastSeenAtMs: entry.lastSeenAtMs,
          closedAtMs: undefined,
        }));
    },
    async counts(tenantId) {
      await writes;
      let query = db
        .selectFrom("tenancy_sessions")
        .select([sql<number>`count(*)`.as("total"), sql<number>`count(closed_at_ms)`.as("closed")]);
      if (tenantId !== undefined) query = query.where("tenant_id", "=", tenantId);
      const { total, closed } = await query.executeTakeFirstOrThrow();
      return { total: total, active: total - closed };
    },
    async start() {
      const nowMs = clock.now();
      await db
        .updateTable("tenancy_sessions")
        .set({ closed_at_ms: nowMs })
        .where("closed_at_ms", "is", null)
        .execute();
      await prune();
    },
    async close() {
      for (const entry of open.values()) leave(entry);
      await writes;
    },
  };
}
