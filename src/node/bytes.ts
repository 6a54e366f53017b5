import type { Config } from "../config/index.ts";
import type { Content } from "../content/index.ts";
import { type Logger, systemClock } from "../core/index.ts";
import { contentViews, keepToTenant } from "../http/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import { byteSockets, type SocketRoute } from "../ws/index.ts";
import { doorAuthoriser } from "./authoriser.ts";

/** Bytes over WebSockets, each caller's own. */
export function byteRoutes(
  { config, log }: { readonly config: Config; readonly log: Logger },
  { content, tenancy }: { readonly content: Content; readonly tenancy: Tenancy },
): SocketRoute[] {
  return byteSockets({
    content,
    contentFor: contentViews(content, tenancy),
    async allow(principal, action, ref) {
      const cid = ref?.split("/", 1)[0];
      const resource = cid === undefined ? undefined : { cid };
      doorAuthoriser.authorise(principal, action, resource);
      await keepToTenant(tenancy, principal, { action, resource });
    },
    egress: ({ tenantId }) => ({
      check: bytes => tenancy.quotas.checkEgress(tenantId, bytes),
      add: bytes => tenancy.quotas.addEgress(tenantId, bytes),
    }),
    maxUploadBytes: config.maxUploadBytes,
    clock: systemClock,
    log,
  });
}
