export { HolePunch, type PunchResults } from "./hole-punch.ts";
export { type Reachability, ReachabilityWatch } from "./reachability.ts";
export { Relays, type RelayState } from "./relays.ts";
export { findSharedPort, type SharedPort } from "./shared-port.ts";
