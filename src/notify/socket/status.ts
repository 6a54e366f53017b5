import type { Clock } from "../../core/index.ts";
import type { NotificationHandler } from "./notifications.ts";
import type { SocketConnection, SocketHandler, SocketInit } from "../types.ts";

/** What `/ws/status` tells about the node. Joined to those who know in node.ts. */
export interface NodeStatus {
  readonly ipfs_online: boolean;
  readonly peers_connected: number;
  readonly pins_in_progress: number;
  readonly system_info: Readonly<Record<string, unknown>>;
}

export interface StatusComponents {
  readonly notifications: NotificationHandler;
  readonly status: () => Promise<NodeStatus>;
  readonly clock: Clock;
}

/** Types that a status connection gets without asking. */
const STATUS_TYPES = [
  "peer_connected",
  "peer_disconnected",
  "swarm_changed",
  "pin_added",
  "pin_removed",
  "pin_status_changed",
  "system_metrics",
  "system_warning",
  "system_error",
];

/** The field `action` of a frame; undefined when there is none. */
function actionOf(text: string): unknown {
  const value = parsed(text);
  return value?.["action"];
}

/** A frame as an object; undefined when it is none. */
export function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // An object that came out of JSON has text keys.
    return typeof value === "object" && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    // The handler behind answers what cannot be read.
    return undefined;
  }
}

/** Answers `get_status` on a socket; false when the frame is something else. */
export function createStatusReplies(components: Omit<StatusComponents, "notifications">) {
  return async (socket: SocketInit, type: "initial_status" | "status_update"): Promise<void> => {
    const status = await components.status();
    socket.send(JSON.stringify({ type, ...status, timestamp: components.clock.now() / 1000 }));
  };
}

/** `/ws/status`: welcome, a first status, the status types; then `get_status`, `ping` and whatever notifications know. */
export function createStatusHandler(components: StatusComponents): SocketHandler {
  const reply = createStatusReplies(components);
  return {
    connect(socket): SocketConnection {
      const inner = components.notifications.connect(socket);
      let replied = reply(socket, "initial_status");
      replied = replied.then(async () => {
        await inner.receive(JSON.stringify({ action: "subscribe", notification_types: STATUS_TYPES }));
      });
      return {
        async receive(text) {
          // What the client asks comes after what it was promised first.
          await replied;
          if (actionOf(text) === "get_status") await reply(socket, "status_update");
          else await inner.receive(text);
        },
        drained: () => inner.drained?.(),
        close: reason => inner.close(reason),
      };
    },
  };
}
