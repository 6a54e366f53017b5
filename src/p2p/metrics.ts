import type { Counter, Gauge, Histogram, Metrics } from "../core/index.ts";

export interface PeerMetrics {
  readonly connections: Gauge;
  readonly dials: Counter;
  readonly refused: Counter;
  readonly streamErrors: Counter;
  readonly blocksFetched: Counter;
  readonly bytesFetched: Counter;
  readonly fetchSeconds: Histogram;
  readonly blocksServed: Counter;
  readonly bytesServed: Counter;
  readonly outcomes: Counter;
  readonly bans: Counter;
  readonly knownPeers: Gauge;
}

/** The metrics of this domain. */
export function peerMetrics(metrics: Metrics): PeerMetrics {
  return {
    connections: metrics.gauge({
      name: "cidcast_p2p_connections",
      help: "Open libp2p connections, by direction.",
      labelNames: ["direction"],
    }),
    dials: metrics.counter({
      name: "cidcast_p2p_dials_total",
      help: "Dials, by result.",
      labelNames: ["result"],
    }),
    refused: metrics.counter({
      name: "cidcast_p2p_refused_total",
      help: "Connections and dials refused, by the limit or rule that was hit.",
      labelNames: ["reason"],
    }),
    streamErrors: metrics.counter({
      name: "cidcast_p2p_handler_errors_total",
      help: "Protocol handlers that ended with an error.",
    }),
    blocksFetched: metrics.counter({
      name: "cidcast_p2p_blocks_fetched_total",
      help: "Blocks asked of connected peers, by result.",
      labelNames: ["result"],
    }),
    bytesFetched: metrics.counter({
      name: "cidcast_p2p_bytes_fetched_total",
      help: "Bytes of blocks received from peers and verified.",
    }),
    fetchSeconds: metrics.histogram({
      name: "cidcast_p2p_fetch_seconds",
      help: "Time from asking for a block to having it verified.",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    }),
    blocksServed: metrics.counter({
      name: "cidcast_p2p_blocks_served_total",
      help: "Blocks read for peers.",
    }),
    bytesServed: metrics.counter({
      name: "cidcast_p2p_bytes_served_total",
      help: "Bytes of blocks read for peers.",
    }),
    outcomes: metrics.counter({
      name: "cidcast_p2p_reputation_outcomes_total",
      help: "What peers that were asked for something did, by result.",
      labelNames: ["result"],
    }),
    bans: metrics.counter({
      name: "cidcast_p2p_bans_total",
      help: "Peers banned for a time because they sent a bad block.",
    }),
    knownPeers: metrics.gauge({
      name: "cidcast_p2p_known_peers",
      help: "Peers whose reputation is kept.",
    }),
  };
}
