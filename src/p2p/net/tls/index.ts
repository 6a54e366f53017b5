export { fastTls } from "./fast-tls.ts";
export { loadTlsParts } from "./tls-parts.ts";
