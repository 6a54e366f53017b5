export { NOTIFICATION_TYPES, NotificationType } from "@cidcast/protocols/notifications";
export { eventId, parseEventId, type SseChunk, sseEvents } from "./doors/sse.ts";
export {
  createWebhookRegistry,
  type Webhook,
  type WebhookRegistry,
  type WebhookRequest,
} from "./doors/webhook-registry.ts";
export { notifyMigrations, type NotifyTables } from "./doors/webhook-tables.ts";
export { createWebhooks, type WebhookInit, type Webhooks, webhookSignature } from "./doors/webhooks.ts";
export { createEmitEvent, type EmitEvent } from "./emitter.ts";
export {
  ALL_TOPICS,
  createFanout,
  createSelection,
  type Fanout,
  type Followed,
  type Selection,
  compressedFrame,
  textFrame,
} from "./fanout/index.ts";
export { createEventLog, type EventLog, type EventStore, openFileStore } from "./log/index.ts";
export { createWebSocketManager, type SocketRoute, type WebSocketManager } from "./manager.ts";
export { type MountContext, type MountedRoute, mountRoutes } from "./mount.ts";
export { joinNodeEvents, snakeCase, type Translation } from "./node-events.ts";
export {
  createNotify,
  type EventQuery,
  type Notify,
  type NotifyComponents,
  type NotifyInit,
} from "./notify.ts";
export { firstAttempt, redisConnection } from "./redis/connection.ts";
export { createSharedLog, type SharedLog, type SharedLogInit } from "./redis/shared-log.ts";
export {
  createBudget,
  createGeneralHandler,
  createNotificationHandler,
  createPlaces,
  createStatusHandler,
  type GeneralComponents,
  type NodeStatus,
  type NotificationHandler,
  type NotificationInit,
  type Places,
  type PlacesInit,
  type SignallingDoor,
  type StatusComponents,
} from "./socket/index.ts";
export {
  type Audience,
  type Carrier,
  type EmitOptions,
  type LogEvent,
  type Lost,
  type SocketConnection,
  type SocketHandler,
  type SocketInit,
  tenantAudience,
} from "./types.ts";
