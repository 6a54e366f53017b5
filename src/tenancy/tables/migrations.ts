import type { Kysely } from "kysely";
import type { Migration } from "../../store/index.ts";

/** Tables of tenants and what belongs to them. */
export const tenancyMigrations: readonly Migration[] = [
  {
    id: "tenancy-0001",
    up: async db => {
      await makeTenants(db);
      await makeCredentials(db);
      await makeSessions(db);
      await makeToolCalls(db);
      await makeContent(db);
    },
  },
  { id: "tenancy-0002", up: makePlayback },
  // Calls are looked for by their time, whoever's they are.
  { id: "tenancy-0003", up: db => index(db, "tenancy_tool_calls", ["at_ms"]) },
];

async function makeTenants(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("tenancy_tenants")
    .addColumn("id", "text", column => column.primaryKey())
    .addColumn("name", "text", column => column.notNull())
    .addColumn("description", "text", column => column.notNull())
    .addColumn("is_active", "integer", column => column.notNull())
    .addColumn("quotas", "text", column => column.notNull())
    .addColumn("created_at_ms", "bigint", column => column.notNull())
    .execute();
  await db.schema
    .createTable("tenancy_tokens")
    .addColumn("id", "text", column => column.primaryKey())
    .addColumn("tenant_id", "text", column => column.notNull().references("tenancy_tenants.id"))
    .addColumn("hash", "text", column => column.notNull().unique())
    .addColumn("prefix", "text", column => column.notNull())
    .addColumn("scopes", "text", column => column.notNull())
    .addColumn("is_active", "integer", column => column.notNull())
    .addColumn("expires_at_ms", "bigint")
    .addColumn("created_at_ms", "bigint", column => column.notNull())
    .addColumn("last_used_at_ms", "bigint")
    .execute();
  await index(db, "tenancy_tokens", ["tenant_id"]);
}

async function makeCredentials(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("tenancy_credentials")
    .addColumn("id", "text", column => column.primaryKey())
    .addColumn("tenant_id", "text", column => column.notNull().references("tenancy_tenants.id"))
    .addColumn("tool_name", "text", column => column.notNull())
    .addColumn("credential_key", "text", column => column.notNull())
    .addColumn("sealed", "text", column => column.notNull())
    .addColumn("created_at_ms", "bigint", column => column.notNull())
    .addColumn("updated_at_ms", "bigint", column => column.notNull())
    .addUniqueConstraint("tenancy_credentials_place", ["tenant_id", "tool_name", "credential_key"])
    .execute();
}

async function makeSessions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("tenancy_sessions")
    .addColumn("id", "text", column => column.primaryKey())
    .addColumn("tenant_id", "text", column => column.notNull())
    .addColumn("token_id", "text", column => column.notNull())
    .addColumn("door", "text", column => column.notNull())
    .addColumn("client_name", "text")
    .addColumn("created_at_ms", "bigint", column => column.notNull())
    .addColumn("last_seen_at_ms", "bigint", column => column.notNull())
    .addColumn("closed_at_ms", "bigint")
    .execute();
  await index(db, "tenancy_sessions", ["tenant_id", "closed_at_ms"]);
}

async function makeToolCalls(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("tenancy_tool_calls")
    .addColumn("tenant_id", "text", column => column.notNull())
    .addColumn("seq", "bigint", column => column.notNull())
    .addColumn("session_id", "text", column => column.notNull())
    .addColumn("caller", "text", column => column.notNull())
    .addColumn("tool", "text", column => column.notNull())
    .addColumn("arguments", "text", column => column.notNull())
    .addColumn("result", "text")
    .addColumn("error", "text")
    .addColumn("duration_ms", "double precision", column => column.notNull())
    .addColumn("at_ms", "bigint", column => column.notNull())
    .addColumn("previous_hash", "text", column => column.notNull())
    .addColumn("hash", "text", column => column.notNull())
    .addPrimaryKeyConstraint("tenancy_tool_calls_place", ["tenant_id", "seq"])
    .execute();
  await index(db, "tenancy_tool_calls", ["tool"]);
}

async function makeContent(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("tenancy_content")
    .addColumn("tenant_id", "text", column => column.notNull())
    .addColumn("cid", "text", column => column.notNull())
    .addColumn("name", "text")
    .addColumn("size", "bigint", column => column.notNull())
    .addColumn("content_type", "text", column => column.notNull())
    .addColumn("added_at_ms", "bigint", column => column.notNull())
    .addPrimaryKeyConstraint("tenancy_content_place", ["tenant_id", "cid"])
    .execute();
  await index(db, "tenancy_content", ["cid"]);
}

async function makePlayback(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("tenancy_playback")
    .addColumn("id", "text", column => column.primaryKey())
    .addColumn("tenant_id", "text", column => column.notNull())
    .addColumn("issued_by", "text", column => column.notNull())
    .addColumn("cid", "text", column => column.notNull())
    .addColumn("manifest", "text")
    .addColumn("max_quality", "text")
    .addColumn("viewer_key", "text")
    .addColumn("is_active", "integer", column => column.notNull())
    .addColumn("expires_at_ms", "bigint", column => column.notNull())
    .addColumn("created_at_ms", "bigint", column => column.notNull())
    .execute();
  await index(db, "tenancy_playback", ["tenant_id"]);
  await index(db, "tenancy_playback", ["expires_at_ms"]);
}

function index(db: Kysely<unknown>, table: string, columns: string[]): Promise<void> {
  return db.schema
    .createIndex(`${table}_by_${columns.join("_")}`)
    .on(table)
    .columns(columns)
    .execute();
}
