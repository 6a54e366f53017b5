import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventBus, noMetrics, silentLogger, VirtualClock } from "../core/index.ts";
import { type Database, openDatabase } from "../store/index.ts";
import { tenancyMigrations } from "./tables/migrations.ts";
import { createTenancy, type Tenancy } from "./tenancy.ts";
import type { TenancyEvents } from "./types.ts";

/** A started tenancy in memory, with a clock that the test moves. */
export interface TestTenancy extends AsyncDisposable {
  readonly tenancy: Tenancy;
  readonly clock: VirtualClock;
  readonly database: Database;
  readonly events: EventBus<TenancyEvents>;
  readonly keyDirectory: string;
  /** Makes a tenant with a token. */
  tenant(
    name: string,
    scopes: readonly string[],
  ): Promise<{ readonly tenantId: string; readonly token: string; readonly tokenId: string }>;
}

/** For tests of this domain and of the doors. */
export async function startTestTenancy(
  init: {
    readonly encryptionKey?: string;
    readonly keyDirectory?: string;
    readonly database?: Database;
  } = {},
): Promise<TestTenancy> {
  const keyDirectory = init.keyDirectory ?? mkdtempSync(join(tmpdir(), "cidcast-keys-"));
  const clock = new VirtualClock(Date.UTC(2026, 10, 21));
  const database = init.database ?? (await openDatabase({ file: ":memory:", migrations: tenancyMigrations }));
  const events = new EventBus<TenancyEvents>(silentLogger);
  const tenancy = await createTenancy(
    { keyDirectory, encryptionKey: init.encryptionKey },
    { database, clock, log: silentLogger, metrics: noMetrics, events },
  );
  await tenancy.start();
  return {
    tenancy,
    clock,
    database,
    events,
    keyDirectory,
    async tenant(name, scopes) {
      const { id } = await tenancy.tenants.create({ name });
      const created = await tenancy.tokens.create({ tenantId: id, scopes, expiresInDays: 30 });
      return { tenantId: id, token: created.token, tokenId: created.id };
    },
    async [Symbol.asyncDispose]() {
      await tenancy.stop();
      if (init.database === undefined) await database.close();
      if (init.keyDirectory === undefined) rmSync(keyDirectory, { recursive: true, force: true });
    },
  };
}
