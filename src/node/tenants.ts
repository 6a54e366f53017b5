import { join } from "node:path";
import { type Clock, isCidcastError, systemClock } from "../core/index.ts";
import type { Database } from "../store/index.ts";
import { createTenancy, type Tenancy } from "../tenancy/index.ts";
import type { SessionInit, StreamingSession, WebRTCStreamingManager } from "../webrtc/index.ts";
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

/** Time between two counts of what a viewer was sent, milliseconds: as much may be sent beyond the quota of the day. */
const COUNT_MS = 1000;

/**
 * Viewers of a tenant see that tenant's content, as many at a time and as many bytes a day as its quota says, for as long as
 * their token is good.
 */
export function tenantViewers<M extends WebRTCStreamingManager>(
  manager: M,
  tenancy: Pick<Tenancy, "content" | "quotas" | "watch">,
  clock: Clock = systemClock,
): M {
  const opened = async <R extends { readonly session: StreamingSession }>(
    init: SessionInit,
    open: () => Promise<R>,
  ): Promise<R> => {
    const { principal, cid } = init;
    if (principal.tenantId === undefined) return open();
    await tenancy.content.requireRead(principal, cid.split("/", 1)[0] ?? "");
    tenancy.quotas.checkEgress(principal.tenantId, 1);
    const lease = tenancy.quotas.lease(principal.tenantId, "viewers");
    try {
      const result = await open();
      const { session } = result;
      const unwatch = tenancy.watch(principal, () => void session.close("the token is good no longer"));
      const stopCounting = countSent(session, tenancy.quotas, { tenantId: principal.tenantId, clock });
      session.onEvent(event => {
        if (event.type !== "state" || event.state !== "closed") return;
        unwatch();
        stopCounting();
        lease[Symbol.dispose]();
      });
      return result;
    } catch (error) {
      lease[Symbol.dispose]();
      throw error;
    }
  };
  return new Proxy(manager, {
    get(target, property) {
      if (property === "createOffer") {
        return (init: Parameters<M["createOffer"]>[0]) => opened(init, () => target.createOffer(init));
      }
      if (property === "createAnswer") {
        return (init: Parameters<M["createAnswer"]>[0]) => opened(init, () => target.createAnswer(init));
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Counts what a session sends; ends it when the tenant's bytes of the day are used up. */
function countSent(
  session: StreamingSession,
  quotas: Pick<Tenancy["quotas"], "addEgress">,
  { tenantId, clock }: { readonly tenantId: string; readonly clock: Clock },
): () => void {
  let counted = 0;
  let asking = false;
  const count = async (): Promise<void> => {
    const sent = Number((await session.stats())["bytes_sent"] ?? 0);
    const more = sent - counted;
    counted = sent;
    quotas.addEgress(tenantId, more);
  };
  return clock.every(COUNT_MS, () => {
    if (asking) return;
    asking = true;
    count()
      .catch(async (error: unknown) => {
        // Anything else: the session is ending.
        if (isCidcastError(error, "LIMIT_REACHED"))
          await session.close("the tenant's bytes of the day are used up");
      })
      .finally(() => {
        asking = false;
      });
  });
}
