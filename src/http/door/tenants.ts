import { type Action, CidcastError, type Principal, type Resource } from "../../core/index.ts";
import type { Tenancy } from "../../tenancy/index.ts";

/** What the doors need of the tenants of a node. */
export type TenantDoor = Pick<Tenancy, "resolveToken" | "watch" | "quotas" | "content">;

/** Actions on content that HTTP serves to tenants; the others go through MCP, which keeps whose content is whose. */
const READING: ReadonlySet<Action> = new Set<Action>([
  "content:read",
  "content:list",
  "media:probe",
  "media:play",
]);
/** Domains whose things belong to somebody. */
const OWNED = /^(?:content|media|transfer):/;

/** Counts a tenant's request and keeps it to what is its own. Callers without a tenant are not asked. */
export async function keepToTenant(
  tenants: TenantDoor,
  principal: Principal,
  asked: { readonly action: Action; readonly resource: Resource | undefined },
): Promise<void> {
  const { tenantId } = principal;
  if (tenantId === undefined) return;
  tenants.quotas.takeRequest(tenantId);
  const { action, resource } = asked;
  // Sessions know whose they are themselves.
  if (!OWNED.test(action) || resource?.sessionId !== undefined) return;
  if (resource?.cid === undefined || !READING.has(action)) {
    throw new CidcastError("FORBIDDEN", `A tenant's token may ${action} through MCP, not here`);
  }
  await tenants.content.requireRead(principal, resource.cid);
}
