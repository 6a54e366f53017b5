import type { ListSort } from "@cidcast/protocols/node-api";
import { type Kysely, sql } from "kysely";
import { CidcastError, type Clock, type Principal } from "../../core/index.ts";
import type { TenancyTables } from "../tables/tables.ts";

/** How lists are ordered. */
const ORDER = {
  newest: sql`added_at_ms desc`,
  oldest: sql`added_at_ms asc`,
  name: sql`coalesce(lower(name), '') asc`,
  largest: sql`size desc`,
} as const satisfies Record<ListSort, unknown>;

/** A thing that a tenant has put in, as that tenant sees it. */
export interface TenantContentRecord {
  readonly cid: string;
  readonly name: string | undefined;
  readonly size: number;
  readonly contentType: string;
  readonly addedAtMs: number;
}

/**
 * Whose content is whose. Blocks are shared between tenants; that somebody else has the same content never shows: what a
 * tenant has not put in itself is not there for it, in the same words as what nobody has.
 */
export interface TenantContent {
  /** True when the principal may see this root. Callers without a tenant see everything. */
  mayRead(principal: Principal, rootCid: string): Promise<boolean>;
  /** `CONTENT_NOT_FOUND` when the principal may not see this root. */
  requireRead(principal: Principal, rootCid: string): Promise<void>;
  /** Remembers that the tenant has put it in. */
  grant(tenantId: string, record: Omit<TenantContentRecord, "addedAtMs">): Promise<void>;
  /** Forgets it. Returns true when no other tenant has it. */
  revoke(tenantId: string, cid: string): Promise<boolean>;
  list(
    tenantId: string,
    query: {
      readonly search?: string | undefined;
      readonly sort?: ListSort | undefined;
      readonly limit: number;
      readonly offset: number;
    },
  ): Promise<{ readonly records: TenantContentRecord[]; readonly total: number }>;
  record(tenantId: string, cid: string): Promise<TenantContentRecord | undefined>;
  /** Bytes of content the tenant has put in. */
  usedBytes(tenantId: string): Promise<number>;
}

export function createTenantContent(components: {
  readonly db: Kysely<TenancyTables>;
  readonly clock: Clock;
}): TenantContent {
  const { db, clock } = components;
  const record = async (tenantId: string, cid: string): Promise<TenantContentRecord | undefined> => {
    const row = await db
      .selectFrom("tenancy_content")
      .selectAll()
      .where("tenant_id", "=", tenantId)
      .where("cid", "=", cid)
      .executeTakeFirst();
    return row === undefined ? undefined : toRecord(row);
  };
  const mayRead = async (principal: Principal, cid: string): Promise<boolean> =>
    principal.tenantId === undefined || (await record(principal.tenantId, cid)) !== undefined;
  return {
    mayRead,
    async requireRead(principal, cid) {
      if (!(await mayRead(principal, cid))) {
        throw new CidcastError("CONTENT_NOT_FOUND", `Neither this node nor a connected peer has ${cid}`);
      }
    },
    async grant(tenantId, { cid, name, size, contentType }) {
      const values = { name: name ?? null, size, content_type: contentType };
      await db
        .insertInto("tenancy_content")
        .values({ tenant_id: tenantId, cid, added_at_ms: clock.now(), ...values })
        .onConflict(conflict => conflict.columns(["tenant_id", "cid"]).doUpdateSet(values))
        .execute();
    },
    async revoke(tenantId, cid) {
      const { numDeletedRows } = await db
        .deleteFrom("tenancy_content")
        .where("tenant_id", "=", tenantId)
        .where("cid", "=", cid)
        .executeTakeFirst();
      if (numDeletedRows === 0n) {
        throw new CidcastError("CONTENT_NOT_FOUND", `Neither this node nor a connected peer has ${cid}`);
      }
      const other = await db
        .selectFrom("tenancy_content")
        .select("tenant_id")
        .where("cid", "=", cid)
        .executeTakeFirst();
      return other === undefined;
    },
    async list(tenantId, { search, sort = "newest", limit, offset }) {
      let query = db.selectFrom("tenancy_content").where("tenant_id", "=", tenantId);
      if (search !== undefined && search !== "") {
        // What is searched for has no wildcards.
        const text = search.replaceAll(/[\\%_]/g, "\\$&");
        query = query.where(({ or }) =>
          or([
            sql<boolean>`lower(name) like ${`%${text.toLowerCase()}%`} escape '\\'`,
            sql<boolean>`cid like ${`${text}%`} escape '\\'`,
          ]),
        );
      }
      const rows = await query
        .selectAll()
        .orderBy(ORDER[sort])
        .orderBy("cid")
        .limit(limit)
        .offset(offset)
        .execute();
      const { count } = await query.select(sql<number>`count(*)`.as("count")).executeTakeFirstOrThrow();
      return { records: rows.map(toRecord), total: count };
    },
    record,
    async usedBytes(tenantId) {
      const { sum } = await db
        .selectFrom("tenancy_content")
        .select(sql<number | null>`sum(size)`.as("sum"))
        .where("tenant_id", "=", tenantId)
        .executeTakeFirstOrThrow();
      return sum ?? 0;
    },
  };
}

function toRecord(row: TenancyTables["tenancy_content"]): TenantContentRecord {
  return {
    cid: row.cid,
    name: row.name ?? undefined,
    size: row.size,
    contentType: row.content_type,
    addedAtMs: row.added_at_ms,
  };
}
