import { join } from "node:path";
import { systemClock } from "../core/index.ts";
import type { Database } from "../store/index.ts";
import { createTenancy, type Tenancy } from "../tenancy/index.ts";
import type { Shared } from "./shared.ts";

/** Opens what the node knows of its tenants. */
export async function startTenancy(shared: Shared, database: Database): Promise<Tenancy> {
  const { config, log, metrics, events, opened, parts } = shared;
  const tenancy = await createTenancy(
    {
      keyDirectory: join(config.dataDir, "keys"),
      encryptionKey: config.mcp.encryptionKey,
      previousEncryptionKeys: config.mcp.previousEncryptionKeys,
    },
    { database, clock: systemClock, log, metrics, events },
  );
  opened.push(tenancy);
  await tenancy.start();
  parts.ready("tenancy", false);
  return tenancy;
}
