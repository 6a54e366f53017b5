import type { SocketConnection, SocketHandler, SocketInit } from "../types.ts";
import type { NotificationHandler } from "./notifications.ts";
import { createStatusReplies, parsed, type StatusComponents } from "./status.ts";

/** Signalling as `/ws` needs it; what `webrtc/` serves has this shape. */
export interface SignallingDoor {
  connect(init: {
    readonly greeting: "welcome" | "silent";
    readonly principal: SocketInit["principal"];
    readonly send: (text: string) => boolean;
  }): { receive(text: string): Promise<void>; close(reason: string): Promise<void> };
}

export interface GeneralComponents extends StatusComponents {
  readonly notifications: NotificationHandler;
  /** Left out where WebRTC is switched off. */
  readonly signalling?: SignallingDoor | undefined;
}

/**
 * `/ws`: one socket for everything. A frame with `action` is for notifications, and `get_status` for the status; one with
 * `type` is for the WebRTC signalling. Greets as notifications do.
 */
export function createGeneralHandler(components: GeneralComponents): SocketHandler {
  const status = createStatusReplies(components);
  return {
    connect(socket): SocketConnection {
      const notifications = components.notifications.connect(socket);
      let signalling: ReturnType<SignallingDoor["connect"]> | undefined;
      const { principal, send } = socket;
      return {
        async receive(text) {
          const frame = parsed(text);
          if (frame?.["action"] === "get_status") return status(socket, "status_update");
          if (frame === undefined || "action" in frame || !("type" in frame))
            return notifications.receive(text);
          if (components.signalling === undefined) {
            socket.send(JSON.stringify({ type: "error", message: "WebRTC is switched off on this node" }));
            return;
          }
          signalling ??= components.signalling.connect({ greeting: "silent", principal, send });
          await signalling.receive(text);
        },
        drained: () => notifications.drained?.(),
        async close(reason) {
          await notifications.close(reason);
          await signalling?.close(reason);
        },
      };
    },
  };
}
