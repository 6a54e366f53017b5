import { SCOPE_NAMES, type ScopeName } from "@cidcast/protocols/tenancy";
import { type Action, CidcastError } from "../../core/index.ts";

/** A scope of tokens: what it is for, and which of the node's actions it allows beside tools. */
export interface Scope {
  readonly name: ScopeName;
  readonly description: string;
  readonly actions: readonly Action[];
}

const SCOPES: Readonly<Record<ScopeName, Omit<Scope, "name">>> = {
  basic: { description: "Standard functionality: time and calculator", actions: ["node:health"] },
  files: { description: "File operations in the tenant's own directory", actions: [] },
  web: { description: "HTTP requests to public addresses", actions: [] },
  admin: { description: "Administrative access: system information", actions: ["node:status"] },
  api: { description: "Secure API access with the tenant's stored credentials", actions: [] },
  "content:read": {
    description: "Find and read the tenant's content",
    actions: ["content:read", "content:list"],
  },
  "content:write": {
    description: "Add, pin and remove the tenant's content",
    actions: ["content:add", "content:pin", "content:remove"],
  },
  media: {
    description: "Probe, play, prepare and share the tenant's media",
    actions: ["media:probe", "media:play", "media:control", "media:prepare", "media:share"],
  },
  peers: { description: "See peers and start transfers", actions: ["peers:read", "transfer:start"] },
  events: {
    description: "Subscribe to the tenant's events and rooms",
    actions: ["events:subscribe", "rooms:join"],
  },
};

/** Every scope, in the order of the specification. */
export const ALL_SCOPES: readonly Scope[] = SCOPE_NAMES.map(name => ({ name, ...SCOPES[name] }));

/** Checks and sorts the scopes of a new token. `none` stands for no scope. `INVALID_REQUEST` for an unknown one. */
export function parseScopes(names: readonly string[]): ScopeName[] {
  const wanted = new Set(names);
  wanted.delete("none");
  const known = SCOPE_NAMES.filter(name => wanted.delete(name));
  if (wanted.size > 0) {
    throw new CidcastError("INVALID_REQUEST", `Unknown scopes: ${[...wanted].join(", ")}`);
  }
  return known;
}

/** What a principal with these scopes holds: the scopes themselves, for tools, and the actions they allow. */
export function grantsOf(names: readonly string[]): ReadonlySet<string> {
  const grants = new Set<string>(names);
  for (const scope of ALL_SCOPES) {
    if (!names.includes(scope.name)) continue;
    for (const action of scope.actions) grants.add(action);
  }
  return grants;
}
