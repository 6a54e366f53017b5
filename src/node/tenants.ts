import { join } from "node:path";
import { systemClock } from "../core/index.ts";
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

/** Viewers of a tenant see that tenant's content, as many at a time as its quota says, for as long as their token is good. */
export function tenantViewers<M extends WebRTCStreamingManager>(manager: M, tenancy: Tenancy): M {
  const opened = async <R extends { readonly session: StreamingSession }>(
    init: SessionInit,
    open: () => Promise<R>,
  ): Promise<R> => {
    const { principal, cid } = init;
    if (principal.tenantId === undefined) return open();
    await tenancy.content.requireRead(principal, cid.split("/", 1)[0] ?? "");
    const lease = tenancy.quotas.lease(principal.tenantId, "viewers");
    try {
      const result = await open();
      const { session } = result;
      const unwatch = tenancy.watch(principal, () => void session.close("the token is good no longer"));
      session.onEvent(event => {
        if (event.type !== "state" || event.state !== "closed") return;
        unwatch();
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
