export { type Config, type ConfigInput, loadConfig } from "./config/index.ts";
export type {
  AddOptions,
  AddProgress,
  Content,
  ContentEvents,
  ContentFile,
  ContentRecord,
  ContentStat,
  DirectoryEntry,
  DirectoryEntrySource,
  Pin,
} from "./content/index.ts";
export { CidcastError, isCidcastError, type Logger, ownerPrincipal, type Principal } from "./core/index.ts";
export type {
  Media,
  MediaEvents,
  MediaInfo,
  MediaSource,
  RenditionSource,
  Segment,
  TrackInfo,
  TrackVerdict,
} from "./media/index.ts";
export { type CidcastNode, createNode, type NodeEvents, type NodeOptions, VERSION } from "./node.ts";
export {
  type EmitEvent,
  type EmitOptions,
  type LogEvent,
  NotificationType,
  type Notify,
  type SocketHandler,
  type SocketRoute,
  type WebSocketManager,
} from "./notify/index.ts";
export type { Peer, PeerConnection, PeerEvents, PeerStream, ProtocolHandler } from "./p2p/index.ts";
export {
  selectProtocol,
  type Transfer,
  type TransferRequest,
  type TransferResult,
  type Transfers,
} from "./transfer/index.ts";
export type {
  QualityController,
  SessionInit,
  SignallingConnection,
  SignallingHandler,
  StreamingSession,
  WebRTCEvents,
  WebRTCStreamingManager,
} from "./webrtc/index.ts";
