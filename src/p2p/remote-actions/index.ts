export { callPeer } from "./call.ts";
export type { FirstObject } from "./first-object.ts";
export { readJson } from "./json-stream.ts";
export { serveRemoteActions } from "./serve.ts";
export type { RemoteActionComponents, RemoteActions, RemoteContent, RemoteHandler } from "./types.ts";
