export { type TransferMetrics, transferMetrics } from "./metrics.ts";
export {
  type ContentServiceComponents,
  type ProtocolHost,
  serveContent,
} from "./protocol/content-service.ts";
export { SMALL_CONTENT_BYTES, selectProtocol, type TransferProtocol } from "./select-protocol.ts";
export {
  createLibp2pStrategy,
  type Libp2pStrategyComponents,
  type Libp2pStrategyInit,
  type PeerSource,
  type StreamOpener,
} from "./strategies/libp2p.ts";
export type {
  ByteStream,
  FetchOptions,
  FetchResult,
  TransferBlocks,
  TransferStrategy,
  TransferWant,
} from "./types.ts";
