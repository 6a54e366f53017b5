export { transferBodyOf } from "./api/transfers.ts";
export { DEFAULT_HTTP_LIMITS, type HttpLimits } from "./limits.ts";
export { createHttpServer } from "./server.ts";
export { contentViews, keepToTenant, type TenantDoor } from "./door/tenants.ts";
export type { MountedApiRoute, MountedRawRoute, MountedRoute } from "./routing/mounted.ts";
export type { HttpComponents, HttpInit, HttpServer, PeerControl, RegisteredRoute } from "./types.ts";
export { type CertificateFiles, ownHosts } from "./tls/certificate.ts";
