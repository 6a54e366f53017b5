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
export { byteSockets } from "./bytes/routes.ts";
export type { ByteComponents } from "./bytes/session.ts";
export { refuseAfterHandshake } from "./refuse.ts";
