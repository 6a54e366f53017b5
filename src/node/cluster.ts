import type { Clock, EventBus, Service } from "../core/index.ts";
import { NODE_GONE_MS, type RedisRoomsBackplane } from "../rooms/index.ts";
import type { NodeEvents } from "./shared.ts";

/** What nodes that share one Redis tell of each other. A node is named by its PeerId, or by an id of its own without libp2p. */
export interface ClusterEvents {
  /** A node has come. It tells so itself. */
  cluster_peer_joined: { readonly peerId: string };
  /** A node has gone, or is silent. */
  cluster_peer_left: { readonly peerId: string };
  /** A node reaches the others, or no longer; `peers` counts those it knows, itself included. */
  cluster_state_changed: {
    readonly state: "connected" | "degraded";
    readonly peerId: string;
    readonly peers: number;
  };
  cluster_pin_added: { readonly cid: string; readonly name?: string; readonly peerId: string };
  cluster_pin_removed: { readonly cid: string; readonly name?: string; readonly peerId: string };
}

export interface ClusterInit {
  readonly events: EventBus<NodeEvents>;
  readonly backplane: Pick<RedisRoomsBackplane, "node" | "onState" | "onOtherLeft" | "others">;
  readonly peerId: string | undefined;
  readonly clock: Clock;
}

/** Tells of this node's coming, going and pinning, and of others that went without a word. */
export function tellClusterEvents(init: ClusterInit): Service {
  const { events, backplane, clock } = init;
  const peerId = init.peerId ?? backplane.node;
  /** Since when the others take this node for gone; at first they do not know it. */
  let awaySinceMs: number | undefined = Number.NEGATIVE_INFINITY;
  const ends = [
    backplane.onState(state => {
      if (state === "connected") {
        // Too short for the others to notice: nobody left, so nobody joins.
        const isNews = awaySinceMs !== undefined && clock.monotonicMs() - awaySinceMs >= NODE_GONE_MS;
        awaySinceMs = undefined;
        if (isNews) events.publish("cluster_peer_joined", { peerId });
      } else awaySinceMs ??= clock.monotonicMs();
      events.publish("cluster_state_changed", { state, peerId, peers: backplane.others().length + 1 });
    }),
    backplane.onOtherLeft(other => events.publish("cluster_peer_left", { peerId: other })),
    // After the log has heard of the pin itself.
    events.onAny(({ type, data, tenantId }) => {
      if (type !== "pin_added" && type !== "pin_removed") return;
      // The type says whose payload it is: both kinds of pin name the CID, and the pin.
      const pin = data as NodeEvents["pin_added" | "pin_removed"];
      if (type === "pin_added") events.publish("cluster_pin_added", { ...pin, peerId }, { tenantId });
      else events.publish("cluster_pin_removed", { ...pin, peerId }, { tenantId });
    }),
  ];
  return {
    name: "cluster-events",
    async start() {},
    async stop() {
      for (const end of ends) end();
    },
  };
}
