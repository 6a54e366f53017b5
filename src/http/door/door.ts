import type { IncomingMessage } from "node:http";
import type { Principal } from "../../core/index.ts";
import type { HttpInit } from "../types.ts";
import { createHostPolicy, type HostPolicy, isLoopbackHost } from "./hosts.ts";
import { createOriginPolicy, type OriginPolicy } from "./origins.ts";
import {
  createOwnerResolver,
  createPrincipalResolver,
  type OwnerResolver,
  type PrincipalResolver,
} from "./principals.ts";
import type { TenantDoor } from "./tenants.ts";

/** What the owner may change while the node runs. */
export interface DoorRules {
  readonly allowedHosts: readonly string[];
  readonly corsOrigins: readonly string[];
}

/** Everything that is decided about a request before anybody looks at what it wants. */
export interface Door {
  readonly hosts: HostPolicy;
  readonly origins: OriginPolicy;
  readonly ownerOf: OwnerResolver;
  readonly principalOf: PrincipalResolver;
  /** True when only this machine can reach the node. */
  readonly loopback: boolean;
  /** From now on these hosts and origins. `INVALID_CONFIG`, and the old ones stay, for what is none. */
  setRules(rules: DoorRules): void;
  /** Host, Origin and caller of a WebSocket upgrade: always checked as if it changed something. */
  admitUpgrade(request: IncomingMessage): Promise<Principal>;
}

export function createDoor(init: HttpInit, port: () => number, tenants?: TenantDoor): Door {
  const { host, token, allowedHosts = [], corsOrigins = [] } = init;
  const policies = (rules: DoorRules) => ({
    hosts: createHostPolicy({ host, allowedHosts: rules.allowedHosts, port, guarded: token !== undefined }),
    origins: createOriginPolicy(rules.corsOrigins),
  });
  let current = policies({ allowedHosts, corsOrigins });
  // Handed out once; what they ask changes with the rules.
  const hosts: HostPolicy = { check: given => current.hosts.check(given) };
  const origins: OriginPolicy = {
    isConfigured: origin => current.origins.isConfigured(origin),
    check: (origin, given) => current.origins.check(origin, given),
  };
  const ownerOf = createOwnerResolver({ host, token });
  const principalOf = createPrincipalResolver(ownerOf, tenants);
  return {
    hosts,
    origins,
    ownerOf,
    principalOf,
    loopback: isLoopbackHost(host),
    setRules(rules) {
      current = policies(rules);
    },
    async admitUpgrade(request) {
      hosts.check(request.headers.host);
      origins.check(request.headers.origin, request.headers.host);
      return principalOf(request, "ws");
    },
  };
}
