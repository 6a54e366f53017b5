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
export {
  CidcastError,
  EventBus,
  isCidcastError,
  type Logger,
  noMetrics,
  ownerPrincipal,
  type Principal,
  silentLogger,
  systemClock,
} from "./core/index.ts";
export type { CustomTool, Mcp, RequestContext, ToolReply } from "./mcp/index.ts";
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
export {
  createPeer,
  type Peer,
  type PeerComponents,
  type PeerConnection,
  type PeerEvents,
  type PeerFacts,
  type PeerInit,
  type PeerStream,
  type ProtocolHandler,
  type Provider,
  type Reachability,
  type Reputation,
  type Routing,
} from "./p2p/index.ts";
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
