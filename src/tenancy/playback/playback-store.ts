import { randomUUID } from "node:crypto";
import type { PlaybackQuality } from "@cidcast/protocols/playback";
import { type Kysely, sql } from "kysely";
import { CidcastError, type Clock } from "../../core/index.ts";
import { MAX_PLAYBACK_TOKENS_PER_TENANT } from "../limits.ts";
import type { TenancyTables } from "../tables/tables.ts";

/** What is known of a playback token; its text is not kept. */
export interface PlaybackTokenInfo {
  readonly id: string;
  /** Undefined: the owner's. */
  readonly tenantId: string | undefined;
  /** Token of the tenant that made it. */
  readonly issuedBy: string | undefined;
  readonly cid: string;
  readonly manifest: string | undefined;
  readonly maxQuality: PlaybackQuality | undefined;
  readonly viewerKey: string | undefined;
  readonly expiresAtMs: number;
  readonly createdAtMs: number;
  readonly active: boolean;
}

/** Playback tokens as stored, without their text. */
export interface PlaybackStore {
  create(init: Omit<PlaybackTokenInfo, "id" | "createdAtMs" | "active">): Promise<PlaybackTokenInfo>;
  /** Newest first, of one tenant or (undefined) the owner's. */
  list(tenantId: string | undefined): Promise<PlaybackTokenInfo[]>;
  /** Switches it off. `NOT_FOUND` when the tenant, or the owner, has none of that id. */
  revoke(id: string, tenantId: string | undefined): Promise<void>;
  /** The token, `active` only while its tenant and the token that made it are. */
  find(id: string): Promise<PlaybackTokenInfo | undefined>;
}

export function createPlaybackStore(components: {
  readonly db: Kysely<TenancyTables>;
  readonly clock: Clock;
}): PlaybackStore {
  const { db, clock } = components;
  const select = () =>
    db
      .selectFrom("tenancy_playback as playback")
      .leftJoin("tenancy_tenants as tenant", "tenant.id", "playback.tenant_id")
      .leftJoin("tenancy_tokens as issuer", "issuer.id", "playback.issued_by")
      .selectAll("playback")
      .select(["tenant.is_active as tenant_is_active", "issuer.is_active as issuer_is_active"]);
  return {
    async create(init) {
      const tenantId = init.tenantId ?? "";
      const nowMs = clock.now();
      await db.deleteFrom("tenancy_playback").where("expires_at_ms", "<=", nowMs).execute();
      const { count } = await db
        .selectFrom("tenancy_playback")
        .select(sql<number>`count(*)`.as("count"))
        .where("tenant_id", "=", tenantId)
        .executeTakeFirstOrThrow();
      if (count >= MAX_PLAYBACK_TOKENS_PER_TENANT) {
        throw new CidcastError(
          "LIMIT_REACHED",
          `There are at most ${MAX_PLAYBACK_TOKENS_PER_TENANT} playback tokens at a time`,
        );
      }
      const row = {
        id: randomUUID(),
        tenant_id: tenantId,
        issued_by: init.issuedBy ?? "",
        cid: init.cid,
        manifest: init.manifest ?? null,
        max_quality: init.maxQuality ?? null,
        viewer_key: init.viewerKey ?? null,
        is_active: 1,
        expires_at_ms: init.expiresAtMs,
        created_at_ms: nowMs,
      };
      await db.insertInto("tenancy_playback").values(row).execute();
      return { ...init, id: row.id, createdAtMs: nowMs, active: true };
    },
    async list(tenantId) {
      const rows = await select()
        .where("playback.tenant_id", "=", tenantId ?? "")
        .where("playback.expires_at_ms", ">", clock.now())
        .orderBy("playback.created_at_ms", "desc")
        .limit(MAX_PLAYBACK_TOKENS_PER_TENANT)
        .execute();
      return rows.map(toInfo);
    },
    async revoke(id, tenantId) {
      const { numUpdatedRows } = await db
        .updateTable("tenancy_playback")
        .set({ is_active: 0 })
        .where("id", "=", id)
        .where("tenant_id", "=", tenantId ?? "")
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw new CidcastError("NOT_FOUND", "There is no such playback token");
    },
    async find(id) {
      const row = await select().where("playback.id", "=", id).executeTakeFirst();
      return row === undefined ? undefined : toInfo(row);
    },
  };
}

type Row = TenancyTables["tenancy_playback"] & {
  readonly tenant_is_active: number | null;
  readonly issuer_is_active: number | null;
};

function toInfo(row: Row): PlaybackTokenInfo {
  const tenantActive = row.tenant_id === "" || row.tenant_is_active === 1;
  const issuerActive = row.issued_by === "" || row.issuer_is_active === 1;
  return {
    id: row.id,
    tenantId: row.tenant_id === "" ? undefined : row.tenant_id,
    issuedBy: row.issued_by === "" ? undefined : row.issued_by,
    cid: row.cid,
    manifest: row.manifest ?? undefined,
    // Written by `create` from a checked level.
    maxQuality: (row.max_quality ?? undefined) as PlaybackQuality | undefined,
    viewerKey: row.viewer_key ?? undefined,
    expiresAtMs: row.expires_at_ms,
    createdAtMs: row.created_at_ms,
    active: row.is_active === 1 && tenantActive && issuerActive,
  };
}
