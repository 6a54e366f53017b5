/** Every notification type. The values are what travels; names never change their value. */
export const NotificationType = {
  CONTENT_ADDED: "content_added",
  CONTENT_RETRIEVED: "content_retrieved",
  CONTENT_REMOVED: "content_removed",
  PIN_ADDED: "pin_added",
  PIN_REMOVED: "pin_removed",
  PIN_PROGRESS: "pin_progress",
  PIN_STATUS_CHANGED: "pin_status_changed",
  TRANSFER_STARTED: "transfer_started",
  TRANSFER_PROGRESS: "transfer_progress",
  TRANSFER_COMPLETED: "transfer_completed",
  TRANSFER_FAILED: "transfer_failed",
  PEER_CONNECTED: "peer_connected",
  PEER_DISCONNECTED: "peer_disconnected",
  SWARM_CHANGED: "swarm_changed",
  CLUSTER_PEER_JOINED: "cluster_peer_joined",
  CLUSTER_PEER_LEFT: "cluster_peer_left",
  CLUSTER_STATE_CHANGED: "cluster_state_changed",
  CLUSTER_PIN_ADDED: "cluster_pin_added",
  CLUSTER_PIN_REMOVED: "cluster_pin_removed",
  WEBRTC_OFFER: "webrtc_offer",
  WEBRTC_CONNECTED: "webrtc_connected",
  WEBRTC_CONNECTION_CREATED: "webrtc_connection_created",
  WEBRTC_CONNECTION_ESTABLISHED: "webrtc_connection_established",
  WEBRTC_CONNECTION_CLOSED: "webrtc_connection_closed",
  WEBRTC_STREAM_STARTED: "webrtc_stream_started",
  WEBRTC_STREAM_ENDED: "webrtc_stream_ended",
  WEBRTC_QUALITY_CHANGED: "webrtc_quality_changed",
  WEBRTC_ERROR: "webrtc_error",
  WEBRTC_RECONNECTION_ATTEMPT: "webrtc_reconnection_attempt",
  WEBRTC_RECONNECTION_FAILED: "webrtc_reconnection_failed",
  SYSTEM_METRICS: "system_metrics",
  SYSTEM_WARNING: "system_warning",
  SYSTEM_ERROR: "system_error",
  SYSTEM_INFO: "system_info",
  CUSTOM_EVENT: "custom_event",
  ALL_EVENTS: "all_events",
} as const;

/** A notification type as it travels. */
export type NotificationType = (typeof NotificationType)[keyof typeof NotificationType];

/** A type that events can have: all but `all_events`, which only subscriptions name. */
export type EventType = Exclude<NotificationType, "all_events">;

/** Every type, in the order in which `welcome` lists them. */
export const NOTIFICATION_TYPES: readonly NotificationType[] = Object.values(NotificationType);

const known: ReadonlySet<string> = new Set(NOTIFICATION_TYPES);

/** True when `text` is a type of ours. */
export function isNotificationType(text: unknown): text is NotificationType {
  return typeof text === "string" && known.has(text);
}

/** True when an event can have this type. */
export function isEventType(text: unknown): text is EventType {
  return isNotificationType(text) && text !== NotificationType.ALL_EVENTS;
}

/** libp2p protocol of the same log: see "Over libp2p" in spec.md. */
export const EVENTS_PROTOCOL = "/ipfs-kit/events/1.0.0";
