import { z } from "zod";
import { PAYLOADS } from "./payloads.ts";
import { isEventType } from "./types.ts";

export { PAYLOADS, type PayloadOf } from "./payloads.ts";
export {
  EVENTS_PROTOCOL,
  type EventType,
  isEventType,
  isNotificationType,
  NOTIFICATION_TYPES,
  NotificationType,
} from "./types.ts";

/** Longest frame that a client may send, characters. A subscription to everything with a full filter needs 4,000. */
export const MAX_CLIENT_FRAME_CHARS = 16 * 1024;
/** Types that one request may name. */
export const MAX_TYPES_PER_REQUEST = 128;
/** Keys of `filters`. */
export const MAX_FILTER_KEYS = 32;
/** Longest filter expression, characters. */
export const MAX_FILTER_CHARS = 1024;
/** Events in one `history` reply: as many as the ring of this protocol holds. */
export const MAX_HISTORY_EVENTS = 1000;
/** Longest time that events may be gathered before they are sent, milliseconds. */
export const MAX_FLUSH_MS = 1000;

const offset = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** The last event a client has seen, in the numbering of `epoch`. */
export const positionSchema = z.object({ epoch: z.string().min(1).max(128), offset });
export type Position = z.output<typeof positionSchema>;

const types = z.array(z.string().max(128)).max(MAX_TYPES_PER_REQUEST);

/** A scalar that a filter compares with. */
export const scalarSchema = z.union([z.string().max(MAX_FILTER_CHARS), z.number(), z.boolean(), z.null()]);
export type Scalar = z.output<typeof scalarSchema>;

export const filtersSchema = z
  .record(z.string().min(1).max(256), scalarSchema)
  .refine(value => Object.keys(value).length <= MAX_FILTER_KEYS, `at most ${MAX_FILTER_KEYS} keys`);
export type Filters = z.output<typeof filtersSchema>;

export const subscribeSchema = z.looseObject({
  action: z.literal("subscribe"),
  notification_types: types.optional(),
  filters: filtersSchema.nullish(),
  filter: z.string().max(MAX_FILTER_CHARS).nullish(),
  resume: positionSchema.nullish(),
  flush_ms: z.number().int().min(0).max(MAX_FLUSH_MS).nullish(),
});

/** Requests of a client, by `action`. */
export const requestSchema = z.discriminatedUnion("action", [
  subscribeSchema,
  z.looseObject({ action: z.literal("unsubscribe"), notification_types: types.optional() }),
  z.looseObject({
    action: z.literal("get_history"),
    limit: z.number().int().min(0).optional(),
    notification_type: z.string().max(128).nullish(),
  }),
  z.looseObject({ action: z.literal("ping") }),
  z.looseObject({ action: z.literal("get_metrics") }),
  z.looseObject({ action: z.literal("get_info") }),
]);
export type Request = z.output<typeof requestSchema>;
export type SubscribeRequest = z.output<typeof subscribeSchema>;

/** Names of all actions. */
export const ACTIONS: ReadonlySet<string> = new Set([
  "subscribe",
  "unsubscribe",
  "get_history",
  "ping",
  "get_metrics",
  "get_info",
]);

const timestamp = z.number();
const place = { epoch: z.string(), offset };

/** An event on the wire. */
export const notificationSchema = z.looseObject({
  type: z.literal("notification"),
  notification_type: z.string(),
  data: z.record(z.string(), z.unknown()),
  timestamp,
  source: z.string().optional(),
  offset,
});
export type Notification = z.output<typeof notificationSchema>;

/** Frames of the node, by `type`. */
export const frameSchema = z.discriminatedUnion("type", [
  notificationSchema,
  z.looseObject({
    type: z.literal("welcome"),
    message: z.string(),
    connection_id: z.string(),
    available_notifications: z.array(z.string()),
    timestamp,
    ...place,
  }),
  z.looseObject({
    type: z.literal("subscription_confirmed"),
    notification_types: z.array(z.string()),
    filters: z.record(z.string(), z.unknown()),
    invalid_types: z.array(z.string()),
    resumed: z.boolean(),
    timestamp,
    ...place,
  }),
  z.looseObject({
    type: z.literal("unsubscription_confirmed"),
    notification_types: z.array(z.string()),
    timestamp,
  }),
  z.looseObject({
    type: z.literal("history"),
    events: z.array(notificationSchema),
    count: z.number(),
    timestamp,
  }),
  z.looseObject({ type: z.literal("pong"), timestamp, ...place }),
  z.looseObject({ type: z.literal("heartbeat"), timestamp, ...place }),
  z.looseObject({ type: z.literal("metrics"), metrics: z.looseObject({}), timestamp }),
  z.looseObject({ type: z.literal("connection_info"), info: z.looseObject({}), timestamp }),
  z.looseObject({ type: z.literal("system_notification"), message: z.string(), timestamp, ...place }),
  z.looseObject({ type: z.literal("resync_required"), reason: z.string(), timestamp, ...place }),
  z.looseObject({
    type: z.literal("events_dropped"),
    from_offset: offset,
    to_offset: offset,
    reason: z.string(),
    timestamp,
    ...place,
  }),
  z.looseObject({ type: z.literal("error"), error: z.string(), code: z.string().optional(), timestamp }),
]);
export type Frame = z.output<typeof frameSchema>;

/** Close codes of this protocol, beside those of RFC 6455. */
export const CLOSE_CODES = {
  /** The client reads more slowly than events come: reconnect and resume. */
  SLOW_CONSUMER: 4008,
  /** The client asks faster than its limit. */
  TOO_MANY_REQUESTS: 4029,
  /** The node or this address has as many connections as it takes. */
  TOO_MANY_CONNECTIONS: 4013,
} as const;

/** Checks `data` of an event. Throws a ZodError that says what does not fit. */
export function parsePayload(type: string, data: unknown): Readonly<Record<string, unknown>> {
  if (!isEventType(type)) throw new TypeError(`${type} is not a notification type`);
  return PAYLOADS[type].parse(data);
}
