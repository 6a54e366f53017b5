import { type Action, CidcastError, type Principal, type Resource } from "../../core/index.ts";
import type { Content } from "../../content/index.ts";
import type { OwnedContent, Tenancy } from "../../tenancy/index.ts";

/** What the doors need of the tenants of a node. */
export type TenantDoor = Pick<
  Tenancy,
  "resolveToken" | "watch" | "quotas" | "content" | "contentView" | "playback"
>;

/** Actions on one piece of content that HTTP serves to tenants. */
const ON_CONTENT: ReadonlySet<Action> = new Set<Action>([
  "content:read",
  "content:list",
  "content:pin",
  "content:remove",
  "media:probe",
  "media:play",
]);
/** Actions without a CID: their routes ask for what the tenant has, and add to it. */
const ON_ALL: ReadonlySet<Action> = new Set<Action>([
  "content:list",
  "content:add",
  "media:share",
  "media:prepare",
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
  if (resource?.cid === undefined && ON_ALL.has(action)) return;
  if (resource?.cid === undefined || !ON_CONTENT.has(action)) {
    throw new CidcastError("FORBIDDEN", `A tenant's token may not ${action} here`);
  }
  await tenants.content.requireRead(principal, resource.cid);
}

/** Finds content as the caller has it: all of it, or what is its tenant's. */
export function contentViews(content: Content, tenants: TenantDoor | undefined): ContentFor {
  return ({ tenantId }) =>
    tenantId === undefined || tenants === undefined ? content : tenants.contentView(content, tenantId);
}

/** Records and pins of one caller. */
export type ContentFor = (principal: Pick<Principal, "tenantId">) => OwnedContent;
