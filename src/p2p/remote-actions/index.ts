export { callPeer } from "./call.ts";
export { serveRemoteActions } from "./serve.ts";
export type { RemoteActionComponents, RemoteActions, RemoteContent, RemoteHandler } from "./types.ts";
