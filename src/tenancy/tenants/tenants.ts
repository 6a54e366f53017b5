import { randomUUID } from "node:crypto";
import { type Quotas, quotasSchema } from "@cidcast/protocols/tenancy";
import { type Kysely, sql } from "kysely";
import { CidcastError, type Clock, type EventPublisher } from "../../core/index.ts";
import { MAX_TENANTS } from "../limits.ts";
import { cut, isOlder, type Page, pageSize } from "../tables/page.ts";
import type { TenancyTables } from "../tables/tables.ts";
import type { Tenant, TenancyEvents } from "../types.ts";

/** A tenant with what a list shows of it. */
export interface TenantSummary extends Tenant {
  readonly activeTokens: number;
  readonly activeSessions: number;
}

/** A page of tenants. */
export interface TenantList {
  readonly tenants: readonly TenantSummary[];
  /** Of all pages. */
  readonly total: number;
  /** What to ask for the next page with; undefined on the last. */
  readonly next: string | undefined;
}

/** Tenants as stored. */
export interface TenantStore {
  create(init: {
    readonly name: string;
    readonly description?: string;
    readonly quotas?: Quotas | undefined;
  }): Promise<Tenant>;
  /** Newest first, a page at a time. `NOT_FOUND` where `after` is no tenant. */
  list(page?: Page): Promise<TenantList>;
  /** Names by id, of those that there are. */
  names(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** `NOT_FOUND` without such a tenant. */
  get(id: string): Promise<Tenant>;
  setQuotas(id: string, quotas: Quotas): Promise<Tenant>;
  /** Switches the tenant and all its tokens off. What it stored stays. */
  deactivate(id: string): Promise<Tenant>;
}

export function createTenantStore(components: {
  readonly db: Kysely<TenancyTables>;
  readonly clock: Clock;
  readonly events: EventPublisher<TenancyEvents>;
}): TenantStore {
  const { db, clock, events } = components;
  const get = async (id: string): Promise<Tenant> => {
    const row = await db.selectFrom("tenancy_tenants").selectAll().where("id", "=", id).executeTakeFirst();
    if (row === undefined) throw new CidcastError("NOT_FOUND", "Tenant not found");
    return toTenant(row);
  };
  const countAll = async (): Promise<number> => {
    const { count } = await db
      .selectFrom("tenancy_tenants")
      .select(sql<number>`count(*)`.as("count"))
      .executeTakeFirstOrThrow();
    return count;
  };
  return {
    async create({ name, description = "", quotas = {} }) {
      if ((await countAll()) >= MAX_TENANTS) {
        throw new CidcastError("LIMIT_REACHED", `A node has at most ${MAX_TENANTS} tenants`);
      }
      const row = {
        id: randomUUID(),
        name,
        description,
        is_active: 1,
        quotas: quotasText(quotas),
        created_at_ms: clock.now(),
      };
      await db.insertInto("tenancy_tenants").values(row).execute();
      events.publish("tenant_created", { tenantId: row.id, name });
      return toTenant(row);
    },
    async list({ limit, after } = {}) {
      const size = pageSize(limit);
      const last = after === undefined ? undefined : await get(after);
      let query = db
        .selectFrom("tenancy_tenants as tenant")
        .selectAll("tenant")
        .select([
          sql<number>`(select count(*) from tenancy_tokens t where t.tenant_id = tenant.id and t.is_active = 1)`.as(
            "active_tokens",
          ),
          sql<number>`(select count(*) from tenancy_sessions s where s.tenant_id = tenant.id and s.closed_at_ms is null)`.as(
            "active_sessions",
          ),
        ])
        .orderBy("tenant.created_at_ms", "desc")
        .orderBy("tenant.id", "desc")
        .limit(size + 1);
      if (last !== undefined) query = query.where(isOlder("tenant", last));
      const [rows, total] = await Promise.all([query.execute(), countAll()]);
      const page = cut(rows, size);
      const tenants = page.rows.map(row => ({
        ...toTenant(row),
        activeTokens: row.active_tokens,
        activeSessions: row.active_sessions,
      }));
      return { tenants, total, next: page.next };
    },
    async names(ids) {
      if (ids.length === 0) return new Map();
      const rows = await db
        .selectFrom("tenancy_tenants")
        .select(["id", "name"])
        .where("id", "in", [...new Set(ids)])
        .execute();
      return new Map(rows.map(({ id, name }) => [id, name]));
    },
    get,
    async setQuotas(id, quotas) {
      await get(id);
      await db
        .updateTable("tenancy_tenants")
        .set({ quotas: quotasText(quotas) })
        .where("id", "=", id)
        .execute();
      return get(id);
    },
    async deactivate(id) {
      await get(id);
      await db.updateTable("tenancy_tenants").set({ is_active: 0 }).where("id", "=", id).execute();
      return get(id);
    },
  };
}

/** Quotas as they are kept. `INVALID_REQUEST` for those that could not be read again. */
function quotasText(quotas: Quotas): string {
  const checked = quotasSchema.safeParse(quotas);
  if (checked.success) return JSON.stringify(checked.data);
  const [issue] = checked.error.issues;
  throw new CidcastError("INVALID_REQUEST", `quotas.${issue?.path.join(".")}: ${issue?.message}`);
}

function toTenant(row: TenancyTables["tenancy_tenants"]): Tenant {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    active: row.is_active === 1,
    createdAtMs: row.created_at_ms,
    quotas: quotasSchema.parse(JSON.parse(row.quotas)),
  };
}
