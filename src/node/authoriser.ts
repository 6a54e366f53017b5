import { type Action, type Authoriser, scopeAuthoriser } from "../core/index.ts";

/** What answers for itself who may use it: each of its requests shows a tenant's token or the admin key, and it checks them. */
const SELF_GUARDED: ReadonlySet<Action> = new Set<Action>(["mcp:connect", "tenancy:admin"]);

/** Who may do what at the doors of a node. */
export const doorAuthoriser: Authoriser = {
  authorise(principal, action, resource) {
    // What checks for itself knows tenants and the admin key, and nothing of single pieces of content.
    if (!SELF_GUARDED.has(action) || principal.capability !== undefined)
      scopeAuthoriser.authorise(principal, action, resource);
  },
};
