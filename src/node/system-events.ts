import { type Clock, type EventBus, type Logger, type Service } from "../core/index.ts";
import type { NodeStatus as StatusFrame, Notify } from "../notify/index.ts";
import type { WebRTCStreamingManager } from "../webrtc/index.ts";
import type { Reloaded } from "./live.ts";
import type { NodeEvents } from "./shared.ts";

/** How often the node's figures are told while somebody listens, milliseconds. */
const SYSTEM_METRICS_INTERVAL_MS = 5_000;

/** What the node says of itself, beside what its domains tell. */
export interface SystemEvents {
  /** The machine and the node in figures; `webrtc` as in `global_metrics` of the signalling. */
  system_metrics: Readonly<Record<string, unknown>>;
  /** Some part works with less than it should have, or not at all. */
  system_warning: { readonly message: string; readonly code: string };
  /** Some part does not work at all. */
  system_error: { readonly message: string; readonly code: string };
  /** The node has started, or has taken over other settings. */
  system_info: { readonly message: string; readonly version?: string; readonly settings?: readonly string[] };
  /** Somebody came or went. */
  swarm_changed: { readonly peers: number };
}

export interface SystemEventsInit {
  readonly events: EventBus<NodeEvents>;
  readonly notify: Notify;
  readonly webrtc: WebRTCStreamingManager | undefined;
  /** Peers connected now. */
  readonly peers: () => number;
  readonly status: () => Promise<StatusFrame>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Tells of the swarm as it changes, and of the node's figures while there is somebody to hear them. */
export function tellSystemEvents(init: SystemEventsInit): Service {
  const { events, notify, webrtc, clock, log } = init;
  // After the log has heard of the peer itself: listeners to every event are called in the order in which they came.
  const ends = [
    events.onAny(({ type }) => {
      if (type === "peer_connected" || type === "peer_disconnected")
        events.publish("swarm_changed", { peers: init.peers() });
    }),
  ];
  const measure = async (): Promise<void> => {
    const { system_info, ...node } = await init.status();
    const viewers = webrtc === undefined ? {} : { webrtc: await webrtc.globalMetrics() };
    events.publish("system_metrics", { ...node, ...system_info, ...viewers });
  };
  ends.push(
    clock.every(SYSTEM_METRICS_INTERVAL_MS, () => {
      // A log full of figures that nobody asked for would push out what somebody may resume from.
      if (notify.notifications.connections === 0) return;
      measure().catch((err: unknown) => log.warn({ err }, "the node's figures could not be told"));
    }),
  );
  return {
    name: "system-events",
    async start() {},
    async stop() {
      for (const end of ends) end();
    },
  };
}

/** Says that a part works with less than it should have, or not at all. */
export function tellTrouble(
  events: EventBus<NodeEvents>,
  message: string,
  state: "degraded" | "failed",
): void {
  if (state === "failed") events.publish("system_error", { message, code: "FAILED" });
  else events.publish("system_warning", { message, code: "DEGRADED" });
}

/** Says which settings are in force anew. */
export function tellReload(events: EventBus<NodeEvents>, reloaded: Reloaded): Reloaded {
  if (reloaded.applied.length > 0) {
    events.publish("system_info", { message: "settings were read again", settings: reloaded.applied });
  }
  return reloaded;
}

/** Counts pins being fetched. */
export function countPinning(events: EventBus<NodeEvents>): () => number {
  const pinning = new Map<string, number>();
  events.on("pin_status_changed", ({ data: { cid, status } }) => {
    if (status === "unpinned") return;
    const now = (pinning.get(cid) ?? 0) + (status === "pinning" ? 1 : -1);
    if (now > 0) pinning.set(cid, now);
    else pinning.delete(cid);
  });
  return () => pinning.size;
}
