export { Announcements, type PubSub } from "./announcements.ts";
export { DelegatedRouters } from "./delegated.ts";
export { ProvideQueue } from "./provide-queue.ts";
export { PeerRouting } from "./routing.ts";
export type { FindProvidersOptions, Provider, ProvideStatus, Routing, RoutingEvents } from "./types.ts";
