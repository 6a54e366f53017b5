import { randomUUID } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { CidcastError, type Clock, type EventPublisher, type Logger } from "../../core/index.ts";
import { MAX_CREDENTIALS_PER_TENANT, MAX_LIST_ROWS } from "../limits.ts";
import type { TenancyTables } from "../tables/tables.ts";
import type { CredentialInfo, TenancyEvents } from "../types.ts";
import { nextKeyFile, promoteNextKey, readNextKey, readOrMakeKeyFile } from "./key-file.ts";
import { createSecretBox, keyFromText, type SecretBox } from "./secret-box.ts";

/** Where the key comes from. */
export interface CredentialKeys {
  /** `MCP_ENCRYPTION_KEY`; without it a key file is made. */
  readonly encryptionKey?: string | undefined;
  /** Keys used before, to open what was sealed with them. */
  readonly previousKeys?: readonly string[] | undefined;
  /** Path of the key file. */
  readonly keyFile: string;
}

export interface CredentialPlace {
  readonly tenantId: string;
  readonly toolName: string;
  readonly credentialKey: string;
}

/** Secrets that tools use on a tenant's behalf. Their values leave only through {@link CredentialStore.value}. */
export interface CredentialStore {
  /** Stores or replaces a value. `NOT_FOUND` without such a tenant. */
  store(place: CredentialPlace, value: string): Promise<CredentialInfo>;
  list(tenantId: string): Promise<CredentialInfo[]>;
  /** Removes one; its value is deleted. `NOT_FOUND` without it. */
  remove(id: string): Promise<CredentialInfo>;
  /** The value, for a tool that acts for the tenant. Never answer or log it. */
  value(place: CredentialPlace): Promise<string | undefined>;
  /** Every value the tenant stored for the tool, by key. */
  values(tenantId: string, toolName: string): Promise<ReadonlyMap<string, string>>;
  /** Seals everything anew with the current key, or with a new one where a key file is used. Returns how many changed. */
  rotate(): Promise<{ readonly resealed: number; readonly keyId: string }>;
}

export async function createCredentialStore(components: {
  readonly db: Kysely<TenancyTables>;
  readonly clock: Clock;
  readonly events: EventPublisher<TenancyEvents>;
  readonly log: Logger;
  readonly keys: CredentialKeys;
}): Promise<CredentialStore> {
  const { db, clock, events, log, keys } = components;
  const previous = (keys.previousKeys ?? []).map(keyFromText);
  let box = openBox(keys, previous);
  const place = (at: CredentialPlace): readonly string[] => [at.tenantId, at.toolName, at.credentialKey];

  const reseal = (): Promise<number> =>
    db.transaction().execute(async transaction => {
      const rows = await transaction.selectFrom("tenancy_credentials").selectAll().execute();
      const stale = rows.filter(row => !box.isCurrent(row.sealed));
      for (const row of stale) {
        const at = [row.tenant_id, row.tool_name, row.credential_key];
        const sealed = box.seal(box.open(row.sealed, at), at);
        await transaction
          .updateTable("tenancy_credentials")
          .set({ sealed })
          .where("id", "=", row.id)
          .execute();
      }
      return stale.length;
    });
  const finishRotation = async (): Promise<number> => {
    const resealed = await reseal();
    promoteNextKey(keys.keyFile);
    box = openBox(keys, previous);
    return resealed;
  };
  // One at a time: what is sealed while the keys change would need the one that goes.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
  // A rotation that was cut off is carried to its end: until then both keys are needed.
  if (keys.encryptionKey === undefined && readNextKey(keys.keyFile) !== undefined) {
    await finishRotation().catch((error: unknown) =>
      log.error({ err: error }, "a rotation of the credentials' key cannot be ended: both keys stay in use"),
    );
  }

  const store: CredentialStore["store"] = async (at, value) => {
    await requireTenant(db, at.tenantId);
    const nowMs = clock.now();
    const held = await db
      .selectFrom("tenancy_credentials")
      .select(sql<number>`count(*)`.as("count"))
      .where("tenant_id", "=", at.tenantId)
      .executeTakeFirstOrThrow();
    const isFull = held.count >= MAX_CREDENTIALS_PER_TENANT;
    // One that takes the place of another needs no room.
    if (isFull && (await selectPlace(db, at).executeTakeFirst()) === undefined) {
      throw new CidcastError(
        "LIMIT_REACHED",
        `A tenant has at most ${MAX_CREDENTIALS_PER_TENANT} credentials`,
      );
    }
    const sealed = box.seal(value, place(at));
    await db
      .insertInto("tenancy_credentials")
      .values({
        id: randomUUID(),
        tenant_id: at.tenantId,
        tool_name: at.toolName,
        credential_key: at.credentialKey,
        sealed,
        created_at_ms: nowMs,
        updated_at_ms: nowMs,
      })
      .onConflict(conflict =>
        conflict
          .columns(["tenant_id", "tool_name", "credential_key"])
          .doUpdateSet({ sealed, updated_at_ms: nowMs }),
      )
      .execute();
    events.publish("credential_stored", at);
    const row = await selectPlace(db, at).executeTakeFirstOrThrow();
    return toInfo(row);
  };

  return {
    store: (at, value) => inTurn(() => store(at, value)),
    async list(tenantId) {
      await requireTenant(db, tenantId);
      const rows = await db
        .selectFrom("tenancy_credentials")
        .selectAll()
        .where("tenant_id", "=", tenantId)
        .orderBy("created_at_ms", "desc")
        .limit(MAX_LIST_ROWS)
        .execute();
      return rows.map(toInfo);
    },
    async remove(id) {
      const row = await db
        .deleteFrom("tenancy_credentials")
        .where("id", "=", id)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw new CidcastError("NOT_FOUND", "Credential not found");
      events.publish("credential_removed", { tenantId: row.tenant_id, credentialId: id });
      return toInfo(row);
    },
    async value(at) {
      const row = await selectPlace(db, at).executeTakeFirst();
      return row === undefined ? undefined : box.open(row.sealed, place(at));
    },
    async values(tenantId, toolName) {
      const rows = await db
        .selectFrom("tenancy_credentials")
        .selectAll()
        .where("tenant_id", "=", tenantId)
        .where("tool_name", "=", toolName)
        .execute();
      return new Map(
        rows.map(row => [
          row.credential_key,
          box.open(row.sealed, [row.tenant_id, row.tool_name, row.credential_key]),
        ]),
      );
    },
    rotate: () =>
      inTurn(async () => {
        if (keys.encryptionKey !== undefined) return { resealed: await reseal(), keyId: box.keyId };
        // Who has read a row before it was sealed anew opens it after that.
        previous.push(readOrMakeKeyFile(keys.keyFile));
        readOrMakeKeyFile(nextKeyFile(keys.keyFile));
        box = openBox(keys, previous);
        return { resealed: await finishRotation(), keyId: box.keyId };
      }),
  };
}

function openBox(keys: CredentialKeys, previous: readonly Buffer[]): SecretBox {
  if (keys.encryptionKey !== undefined)
    return createSecretBox([keyFromText(keys.encryptionKey), ...previous]);
  const current = readOrMakeKeyFile(keys.keyFile);
  const next = readNextKey(keys.keyFile);
  return createSecretBox(next === undefined ? [current, ...previous] : [next, current, ...previous]);
}

function selectPlace(db: Kysely<TenancyTables>, at: CredentialPlace) {
  return db
    .selectFrom("tenancy_credentials")
    .selectAll()
    .where("tenant_id", "=", at.tenantId)
    .where("tool_name", "=", at.toolName)
    .where("credential_key", "=", at.credentialKey);
}

async function requireTenant(db: Kysely<TenancyTables>, id: string): Promise<void> {
  const row = await db.selectFrom("tenancy_tenants").select("id").where("id", "=", id).executeTakeFirst();
  if (row === undefined) throw new CidcastError("NOT_FOUND", "Tenant not found");
}

function toInfo(row: TenancyTables["tenancy_credentials"]): CredentialInfo {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    toolName: row.tool_name,
    credentialKey: row.credential_key,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
  };
}
