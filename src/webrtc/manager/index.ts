export {
  createWebRTCStreamingManager,
  type RunningWebRTC,
  type WebRTCComponents,
  type WebRTCStreamingManagerInit,
} from "./manager.ts";
