export { DEFAULT_WEB_SOCKET_LIMITS, type WebSocketLimits } from "./limits.ts";
export { createWebSocketRouter } from "./router.ts";
export type {
  SocketContext,
  SocketHandler,
  SocketRoute,
  WebSocketComponents,
  WebSocketInit,
  WebSocketRouter,
} from "./types.ts";
export { refuseAfterHandshake } from "./refuse.ts";
