import {
  EventBus,
  noMetrics,
  type PeerComponents,
  type PeerEvents,
  silentLogger,
  systemClock,
} from "../../src/index.ts";

/** What a peer is given: blocks in memory, and nobody who listens to logs and metrics. A node brings its own. */
export function peerParts(): PeerComponents {
  const blocks = new Map<string, Uint8Array>();
  return {
    blocks: {
      has: cid => blocks.has(cid.toString()),
      get: async cid => blocks.get(cid.toString()),
      put: async (cid, bytes) => {
        blocks.set(cid.toString(), bytes);
      },
    },
    events: new EventBus<PeerEvents>(silentLogger),
    log: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  };
}
