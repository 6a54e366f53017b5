export {
  createMetadata,
  type KnownContent,
  type Metadata,
  type MetadataComponents,
  type MetadataFields,
} from "./metadata/metadata.ts";
export {
  type MetadataServiceComponents,
  type PeerMetadataOptions,
  queryPeerMetadata,
  serveMetadata,
  updatePeerMetadata,
} from "./metadata/serve.ts";
export type { MetadataSigner, VerifiedRecord } from "./metadata/signed.ts";
export { type PlainFile, type PlainServiceComponents, servePlainFiles } from "./plain/serve.ts";
export { type TransferMetrics, transferMetrics } from "./metrics.ts";
export {
  type ContentServiceComponents,
  type ContentSocket,
  createContentServer,
  type ProtocolHost,
  serveContent,
  serveContentSocket,
} from "./protocol/content-service.ts";
export { SMALL_CONTENT_BYTES, selectProtocol, type TransferProtocol } from "./select-protocol.ts";
export {
  createLibp2pStrategy,
  type Libp2pStrategyComponents,
  type Libp2pStrategyInit,
  type PeerSource,
  type StreamOpener,
} from "./strategies/libp2p.ts";
export { createHttpStrategy, type GatewaySource } from "./strategies/http.ts";
export { createWebSocketStrategy, type WebSocketSource } from "./strategies/web-socket.ts";
export { type TransferTables, transferMigrations } from "./transfers/migrations.ts";
export { CONTENT_SOCKET_PATH } from "./transfers/target.ts";
export type { PushComponents, PushRequest, PushResult } from "./transfers/push.ts";
export type { TokenBox } from "./transfers/store.ts";
export { createTransfers, type Transfers } from "./transfers/transfers.ts";
export type {
  Rung,
  Transfer,
  TransferAttempt,
  TransferContent,
  TransferEvents,
  TransferQuery,
  TransferRequest,
  TransferResult,
  TransferState,
} from "./transfers/types.ts";
export type {
  ByteStream,
  FetchOptions,
  FetchResult,
  SourceOutcome,
  SourceReputation,
  TransferBlocks,
  TransferStrategy,
  TransferWant,
} from "./types.ts";
