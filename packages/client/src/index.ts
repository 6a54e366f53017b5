export {
  CONTROL_LABEL,
  MAX_RATE,
  MAX_SOUND_RATE,
  MIN_RATE,
  MIN_SOUND_RATE,
} from "@cidcast/protocols/media-control";
export type {
  AddResult,
  ContentRecordBody,
  ListResult,
  ListSort,
  NodeStatus,
  ProbeResult,
} from "@cidcast/protocols/node-api";
export type { ErrorCode } from "@cidcast/protocols/errors";
export { type Backoff, type BackoffInit, createBackoff } from "./backoff.ts";
export { ClientError, errorFromWire, isTransient, toClientError } from "./client-error.ts";
export {
  type ControlCommand,
  type ControlEvent,
  parseControlEvent,
  type LoopRange,
  readControlEvent,
  type PlaybackReport,
  type TrackReport,
} from "./control-messages.ts";
export { createEmitter, type Emitter } from "./emitter.ts";
export {
  createNodeClient,
  errorFromResponse,
  type NodeClient,
  type NodeClientInit,
  mediaOf,
  parseAddResult,
  type RequestOptions,
} from "./node-client.ts";
export type { ServerMessage } from "./server-messages.ts";
export {
  type Candidate,
  CONNECT_TIMEOUT_MS,
  MAX_MESSAGE_CHARS,
  type Offer,
  OFFER_TIMEOUT_MS,
  type OfferRequest,
  openSignalling,
  type SignallingClient,
  type SignallingEvents,
  type SignallingInit,
  signallingUrl,
} from "./signalling-client.ts";
export type { ContentMetadata } from "./streaming/metadata-socket.ts";
export type { StreamWithMetadata, StreamWithMetadataInit } from "./streaming/stream-with-metadata.ts";
export { selectProtocol } from "@cidcast/protocols/select-protocol";
export type { TransferInit, TransferOutcome, TransferVia } from "./transfers/transfer-content.ts";
export { type CatOptions, CidcastClient, type CidcastClientInit } from "./node/cidcast-client.ts";
export {
  type NotificationItem,
  type NotificationSubscription,
  type Resync,
  type SubscribeInit,
  type SubscriptionState,
  subscribeToNotifications,
} from "./notifications/subscription.ts";
export {
  type BroadcastRoom,
  type BroadcastRoomInit,
  joinBroadcastRoom,
  type RelayMessage,
} from "./rooms/broadcast-room.ts";
export { joinTargetedRoom, type TargetedRoom, type TargetedRoomInit } from "./rooms/targeted-room.ts";
export {
  openPeerSession,
  type PeerSession,
  type PeerSessionEvents,
  type PeerSessionInit,
} from "./streaming/peer-session.ts";
export type { RtcConfiguration, RtcConnection, RtcTrack } from "./streaming/rtc.ts";
export type {
  ContentStream,
  ContentStreamEvents,
  MediaPacket,
  StreamInit,
} from "./streaming/stream-content.ts";
export { type NodeAddress, socketUrl } from "./socket-url.ts";
