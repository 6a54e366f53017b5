import { join } from "node:path";
import type { AbortOptions, Clock, Logger, Metrics, Principal, Service } from "../core/index.ts";
import { isNotificationType } from "@cidcast/protocols/notifications";
import { sseEvents, type SseChunk } from "./doors/sse.ts";
import { createWebhooks, type Webhooks } from "./doors/webhooks.ts";
import { createEmitEvent, type EmitEvent } from "./emitter.ts";
import { ALL_TOPICS, createFanout, createSelection, type Fanout, type Selection } from "./fanout/index.ts";
import { FLUSH_MS } from "./limits.ts";
import { createEventLog, type EventLog, openFileStore } from "./log/index.ts";
import { createWebSocketManager, type WebSocketManager } from "./manager.ts";
import {
  createNotificationHandler,
  type NotificationHandler,
  type NotificationInit,
} from "./socket/index.ts";
import { type Audience, tenantAudience } from "./types.ts";

export interface NotifyInit {
  /** `disk` keeps the log over restarts, in `directory`. */
  readonly log?: "memory" | "disk";
  /** The node's data directory; needed for `disk`. */
  readonly directory?: string;
  readonly durability?: "process" | "full";
  /** Events kept in memory. */
  readonly maxEvents?: number;
  readonly sockets?: NotificationInit;
}

export interface NotifyComponents {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly audience?: Audience;
  /** A log made elsewhere, for instance one that several nodes share; closed with this. */
  readonly events?: EventLog | undefined;
}

/** What a reader of events asks for, as text of a query. */
export interface EventQuery {
  /** Notification types; none: all. */
  readonly types?: readonly string[];
  readonly filter?: string | undefined;
}

/** The events of a node: one log and the doors to it. */
export interface Notify extends Service {
  readonly events: EventLog;
  readonly fanout: Fanout;
  readonly emitEvent: EmitEvent;
  readonly notifications: NotificationHandler;
  readonly sockets: WebSocketManager;
  readonly webhooks: Webhooks;
  /** A selection for a principal. Throws `INVALID_REQUEST` for a filter that cannot be read; unknown types select nothing. */
  select(principal: Principal, query: EventQuery): Selection;
  /** Server-sent events for a principal; see {@link sseEvents}. */
  sse(
    principal: Principal,
    query: EventQuery & AbortOptions & { readonly lastEventId?: string | undefined },
  ): AsyncGenerator<SseChunk, void, void>;
}

/** Opens the log and its doors. `STORAGE_FAILED` when the log on disk cannot be opened. */
export function createNotify(init: NotifyInit = {}): (components: NotifyComponents) => Notify {
  return given => {
    const components = { audience: tenantAudience, ...given };
    const { clock, log, metrics, audience } = components;
    const store =
      given.events === undefined && init.log === "disk" && init.directory !== undefined
        ? openFileStore(
            { directory: join(init.directory, "events"), durability: init.durability ?? "process" },
            log,
          )
        : undefined;
    const maxEvents = init.maxEvents === undefined ? {} : { maxEvents: init.maxEvents };
    const events = given.events ?? createEventLog(maxEvents)({ clock, log, metrics, store });
    const fanout = createFanout({ log: events, clock, metrics });
    const emitEvent = createEmitEvent(events);
    const notifications = createNotificationHandler(init.sockets)({ ...components, events, fanout });
    const sockets = createWebSocketManager({ emitEvent, notifications });
    sockets.registerRoute({ path: "/ws/notifications", action: "events:subscribe", handler: notifications });
    sockets.registerRoute({
      path: "/api/v0/notifications/ws",
      action: "events:subscribe",
      handler: notifications,
    });
    const webhooks = createWebhooks({ events, fanout, clock, log, metrics });
    const select = (principal: Principal, query: EventQuery): Selection => {
      const named = query.types ?? [];
      const topics = new Set<string>(named.length === 0 ? [ALL_TOPICS] : named.filter(isNotificationType));
      const { filter } = query;
      return createSelection(
        { topics, filter, flushMs: FLUSH_MS, audienceClass: audience.classOf(principal) },
        audience,
      );
    };
    return {
      name: "notify",
      events,
      fanout,
      emitEvent,
      notifications,
      sockets,
      webhooks,
      select,
      sse: (principal, query) =>
        sseEvents({ events, fanout, clock }, select(principal, query), {
          lastEventId: query.lastEventId,
          signal: query.signal,
        }),
      async start() {},
      async stop() {
        await webhooks.close();
        notifications.close();
        fanout.close();
        events.close();
      },
    };
  };
}
