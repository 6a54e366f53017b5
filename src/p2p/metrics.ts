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
  readonly holePunches: Counter;
  readonly moved: Counter;
  readonly announcements: Counter;
  readonly provided: Counter;
  readonly provideQueue: Gauge;
  readonly providersFound: Counter;
  readonly discovered: Counter;
  readonly relayReservations: Gauge;
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
    holePunches: metrics.counter({
      name: "cidcast_p2p_hole_punches_total",
      help: "Tries to turn a relayed connection into a direct one, by what came of it.",
      labelNames: ["result"],
    }),
    moved: metrics.counter({
      name: "cidcast_p2p_moved_streams_total",
      help: "Streams that left a relay for a direct connection.",
    }),
    discovered: metrics.counter({
      name: "cidcast_p2p_discovered_total",
      help: "Peers that were found and dialled.",
    }),
    announcements: metrics.counter({
      name: "cidcast_p2p_announcements_total",
      help: "Announcements by gossipsub: told, heard, or dropped because they do not fit.",
      labelNames: ["result"],
    }),
    provided: metrics.counter({
      name: "cidcast_p2p_provided_total",
      help: "CIDs told to the network, by result.",
      labelNames: ["result"],
    }),
    provideQueue: metrics.gauge({
      name: "cidcast_p2p_provide_queue",
      help: "CIDs that wait to be told to the network.",
    }),
    providersFound: metrics.counter({
      name: "cidcast_p2p_providers_found_total",
      help: "Providers found, by who told of them.",
      labelNames: ["origin"],
    }),
    relayReservations: metrics.gauge({
      name: "cidcast_p2p_relay_reservations",
      help: "Relays that this node can be reached through now.",
    }),
  };
}
