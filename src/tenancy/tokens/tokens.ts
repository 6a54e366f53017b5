import { randomUUID } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { CidcastError, type Clock, type EventPublisher } from "../../core/index.ts";
import { MAX_TOKENS_PER_TENANT } from "../limits.ts";
import { parseScopes } from "./scopes.ts";
import { cut, isOlder, type Page, pageSize } from "../tables/page.ts";
import type { TenancyTables } from "../tables/tables.ts";
import type { CreatedToken, TenancyEvents, TokenInfo } from "../types.ts";
import { newTokenText, tokenHash, tokenPrefix } from "./token-text.ts";

export const DAY_MS = 24 * 60 * 60 * 1000;

export interface CreateTokenInit {
  readonly tenantId: string;
  readonly scopes: readonly string[];
  /** Null: it does not expire. */
  readonly expiresInDays: number | null;
}

/** A page of tokens. */
export interface TokenList {
  readonly tokens: readonly TokenInfo[];
  /** Of all pages. */
  readonly total: number;
  /** What to ask for the next page with; undefined on the last. */
  readonly next: string | undefined;
}

/** Tokens as stored. */
export interface TokenStore {
  /** Makes a token; its text is in the answer and nowhere else. `NOT_FOUND` without such a tenant. */
  create(init: CreateTokenInit): Promise<CreatedToken>;
  /** Newest first, a page at a time, of one tenant or of all. `NOT_FOUND` where `after` is no token. */
  list(page?: Page & { readonly tenantId?: string | undefined }): Promise<TokenList>;
  /** How many tokens of a tenant are switched on. */
  countActive(tenantId: string): Promise<number>;
  /** Switches a token off. `NOT_FOUND` without such a token. Safe to repeat. */
  revoke(id: string): Promise<TokenInfo>;
  /** The token of that id, active or not. */
  get(id: string): Promise<TokenInfo | undefined>;
  /** The active token of an active tenant with that text. */
  find(text: string): Promise<TokenInfo | undefined>;
  used(id: string, atMs: number): Promise<void>;
}

export function createTokenStore(components: {
  readonly db: Kysely<TenancyTables>;
  readonly clock: Clock;
  readonly events: EventPublisher<TenancyEvents>;
}): TokenStore {
  const { db, clock, events } = components;
  const select = () =>
    db
      .selectFrom("tenancy_tokens as token")
      .innerJoin("tenancy_tenants as tenant", "tenant.id", "token.tenant_id")
      .select([
        "token.id",
        "token.tenant_id",
        "tenant.name as tenant_name",
        "tenant.is_active as tenant_is_active",
        "token.prefix",
        "token.scopes",
        "token.is_active",
        "token.expires_at_ms",
        "token.created_at_ms",
        "token.last_used_at_ms",
      ]);
  const count = () => db.selectFrom("tenancy_tokens").select(sql<number>`count(*)`.as("count"));
  const countActive = async (tenantId: string): Promise<number> => {
    const row = await count()
      .where("tenant_id", "=", tenantId)
      .where("is_active", "=", 1)
      .executeTakeFirstOrThrow();
    return row.count;
  };
  const rowOf = async (id: string): Promise<TokenRow> => {
    const row = await select().where("token.id", "=", id).executeTakeFirst();
    if (row === undefined) throw new CidcastError("NOT_FOUND", "Token not found");
    return row;
  };
  return {
    countActive,
    async create({ tenantId, scopes, expiresInDays }) {
      const tenant = await db
        .selectFrom("tenancy_tenants")
        .select(["name", "is_active"])
        .where("id", "=", tenantId)
        .executeTakeFirst();
      if (tenant === undefined || tenant.is_active === 0) {
        throw new CidcastError("NOT_FOUND", "Tenant not found");
      }
      if ((await countActive(tenantId)) >= MAX_TOKENS_PER_TENANT) {
        throw new CidcastError(
          "LIMIT_REACHED",
          `A tenant has at most ${MAX_TOKENS_PER_TENANT} active tokens`,
        );
      }
      const text = newTokenText();
      const nowMs = clock.now();
      const row = {
        id: randomUUID(),
        tenant_id: tenantId,
        hash: tokenHash(text),
        prefix: tokenPrefix(text),
        scopes: JSON.stringify(parseScopes(scopes)),
        is_active: 1,
        expires_at_ms: expiresInDays === null ? null : nowMs + Math.round(expiresInDays * DAY_MS),
        created_at_ms: nowMs,
        last_used_at_ms: null,
      };
      await db.insertInto("tenancy_tokens").values(row).execute();
      events.publish("token_created", { tokenId: row.id, tenantId });
      return { ...toInfo({ ...row, tenant_name: tenant.name, tenant_is_active: 1 }), token: text };
    },
    async list({ tenantId, limit, after } = {}) {
      const size = pageSize(limit);
      let query = select()
        .orderBy("token.created_at_ms", "desc")
        .orderBy("token.id", "desc")
        .limit(size + 1);
      let all = count();
      if (tenantId !== undefined) {
        query = query.where("token.tenant_id", "=", tenantId);
        all = all.where("tenant_id", "=", tenantId);
      }
      if (after !== undefined) query = query.where(isOlder("token", toInfo(await rowOf(after))));
      const [rows, total] = await Promise.all([query.execute(), all.executeTakeFirstOrThrow()]);
      const page = cut(rows, size);
      return { tokens: page.rows.map(toInfo), total: total.count, next: page.next };
    },
    async revoke(id) {
      const row = await rowOf(id);
      await db.updateTable("tenancy_tokens").set({ is_active: 0 }).where("id", "=", id).execute();
      return toInfo({ ...row, is_active: 0 });
    },
    async get(id) {
      const row = await select().where("token.id", "=", id).executeTakeFirst();
      return row === undefined ? undefined : toInfo(row);
    },
    async find(text) {
      const row = await select()
        .where("token.hash", "=", tokenHash(text))
        .where("token.is_active", "=", 1)
        .where("tenant.is_active", "=", 1)
        .executeTakeFirst();
      return row === undefined ? undefined : toInfo(row);
    },
    async used(id, atMs) {
      await db.updateTable("tenancy_tokens").set({ last_used_at_ms: atMs }).where("id", "=", id).execute();
    },
  };
}

interface TokenRow {
  id: string;
  tenant_id: string;
  tenant_name: string;
  tenant_is_active: number;
  prefix: string;
  scopes: string;
  is_active: number;
  expires_at_ms: number | null;
  created_at_ms: number;
  last_used_at_ms: number | null;
}

function toInfo(row: TokenRow): TokenInfo {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    tenantName: row.tenant_name,
    prefix: row.prefix,
    // Written by `create` from checked names.
    scopes: JSON.parse(row.scopes) as string[],
    active: row.is_active === 1 && row.tenant_is_active === 1,
    expiresAtMs: row.expires_at_ms === null ? undefined : row.expires_at_ms,
    createdAtMs: row.created_at_ms,
    lastUsedAtMs: row.last_used_at_ms === null ? undefined : row.last_used_at_ms,
  };
}
