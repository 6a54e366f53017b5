export { createNodeSigner, type NodeSigner } from "./identity/signer.ts";
export { signerOf } from "./identity/verifier.ts";
export { type PeerDatabase, type PeerTables, peerMigrations } from "./identity/migrations.ts";
export { DEFAULT_PEER_LIMITS, MAX_BLOCK_BYTES, type PeerLimits } from "./limits.ts";
export { membersOf } from "./bitswap/members.ts";
export { answers, type Role, type RoleName, ROLES } from "./net/roles.ts";
export { createPeer } from "./peer.ts";
export {
  callPeer,
  readJson,
  type FirstObject,
  type RemoteActionComponents,
  type RemoteActions,
  type RemoteContent,
  type RemoteHandler,
  serveRemoteActions,
} from "./remote-actions/index.ts";
export type { PeerFacts, PeerOutcome, Reputation } from "./reputation/index.ts";
export {
  LineCutter,
  type PeerStream,
  type ProtocolHandler,
  type ProtocolHandlerOptions,
  type StreamConsumer,
} from "./streams/index.ts";
export type { Reachability, RelayState } from "./nat/index.ts";
export type { FindProvidersOptions, Provider, ProvideStatus, Routing } from "./routing/index.ts";
export type {
  ConnectOptions,
  FetchBlockOptions,
  NetworkInit,
  Peer,
  PeerBlockstore,
  PeerComponents,
  PeerConnection,
  PeerEvents,
  PeerInit,
  PeerStatus,
  RelayServiceInit,
} from "./types.ts";
