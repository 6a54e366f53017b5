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

/** Everything that is decided about a request before anybody looks at what it wants. */
export interface Door {
  readonly hosts: HostPolicy;
  readonly origins: OriginPolicy;
  readonly ownerOf: OwnerResolver;
  readonly principalOf: PrincipalResolver;
  /** True when only this machine can reach the node. */
  readonly loopback: boolean;
  /** Host, Origin and caller of a WebSocket upgrade: always checked as if it changed something. */
  admitUpgrade(request: IncomingMessage): Promise<Principal>;
}

export function createDoor(init: HttpInit, port: () => number, tenants?: TenantDoor): Door {
  const { host, token, allowedHosts = [], corsOrigins = [] } = init;
  const hosts = createHostPolicy({ host, allowedHosts, port, guarded: token !== undefined });
  const origins = createOriginPolicy(corsOrigins);
  const ownerOf = createOwnerResolver({ host, token });
  const principalOf = createPrincipalResolver(ownerOf, tenants);
  return {
    hosts,
    origins,
    ownerOf,
    principalOf,
    loopback: isLoopbackHost(host),
    async admitUpgrade(request) {
      hosts.check(request.headers.host);
      origins.check(request.headers.origin, request.headers.host);
      return principalOf(request, "ws");
    },
  };
}
