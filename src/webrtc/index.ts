export { AdaptiveBitrateController } from "./manager/adaptive-bitrate-controller.ts";
export type { StallCause, StallEntry, StallReport } from "./quality/stall-report.ts";
export {
  createWebRTCStreamingManager,
  type RunningWebRTC,
  type WebRTCComponents,
  type WebRTCStreamingManagerInit,
} from "./manager/index.ts";
export {
  createSignallingHandler,
  type SignallingComponents,
  type SignallingInit,
} from "./signalling/handler.ts";
export type {
  CandidateInit,
  ChannelConnection,
  ChannelDoor,
  ControlCommand,
  Greeting,
  IceServer,
  PlaybackState,
  QualityController,
  QualityLevel,
  SessionInit,
  SignallingConnection,
  SignallingHandler,
  StreamingSession,
  ViewerChannel,
  WebRTCEvents,
  WebRTCStreamingManager,
} from "./types.ts";
export { viewerIceServers } from "./manager/ice-servers.ts";
export { type FirstPicture, type FirstPictureInit, receiveFirstPicture } from "./client/first-picture.ts";
