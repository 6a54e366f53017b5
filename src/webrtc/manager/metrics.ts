import type { Counter, Histogram, Metrics } from "../../core/index.ts";
import type { HostStats } from "../thread/messages.ts";

/** What this domain counts. */
export interface WebRTCMetrics {
  readonly sessions: Counter;
  readonly ended: Counter;
  readonly refused: Counter;
  /** From the request to the first packet. */
  readonly firstPacket: Histogram;
  readonly connect: Histogram;
  /** From the request to the arrival of the first picture. */
  readonly firstPicture: Histogram;
  readonly stallShare: Histogram;
  readonly estimate: Histogram;
  /** Seconds watched, by level. */
  readonly rungSeconds: Counter;
  /** Changes of quality, by what changed and why. */
  readonly rungChanges: Counter;
}

/** What is asked at each scrape. */
export interface WebRTCGauges {
  readonly sessions: () => number;
  /** Media threads whose packets leave in batches through native code. */
  readonly batched: () => number;
  /** Viewers that wait for their turn to join. */
  readonly waiting: () => number;
  /** What the media threads have counted; undefined while there are none. */
  readonly traffic: () => Promise<HostStats | undefined>;
}

/** Declares them. */
export function webrtcMetrics(metrics: Metrics, gauges: WebRTCGauges): WebRTCMetrics {
  const { sessions, batched, waiting, traffic } = gauges;
  declareTraffic(metrics, traffic);
  metrics.gauge({ name: "cidcast_webrtc_sessions", help: "Viewers' sessions open.", collect: sessions });
  metrics.gauge({
    name: "cidcast_webrtc_egress_batched",
    help: "Media threads whose packets leave in batches through native code; the others send in plain JavaScript.",
    collect: batched,
  });
  metrics.gauge({
    name: "cidcast_webrtc_joins_waiting",
    help: "Viewers that wait for their turn to join.",
    collect: waiting,
  });
  return {
    firstPicture: metrics.histogram({
      name: "cidcast_webrtc_first_picture_seconds",
      help: "From the request for a session to the arrival of its first picture, as the viewer's feedback tells.",
      buckets: [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 10],
    }),
    stallShare: metrics.histogram({
      name: "cidcast_webrtc_stall_ratio",
      help: "Of the time that a session was to play, the share that it stood still; one value for each session that ends.",
      buckets: [0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1],
    }),
    estimate: metrics.histogram({
      name: "cidcast_webrtc_path_estimate_bps",
      help: "What a viewer's path was thought to carry when its session ended, bits per second.",
      buckets: [2e5, 5e5, 1e6, 2e6, 3e6, 5e6, 1e7, 2e7, 5e7],
    }),
    rungSeconds: metrics.counter({
      name: "cidcast_webrtc_level_seconds_total",
      help: "Seconds of sessions that have ended, by the level of quality; `source` where there is one quality.",
      labelNames: ["level"],
    }),
    rungChanges: metrics.counter({
      name: "cidcast_webrtc_quality_changes_total",
      help: "Changes of a viewer's quality, by what changed and why.",
      labelNames: ["change", "reason"],
    }),
    sessions: metrics.counter({ name: "cidcast_webrtc_sessions_total", help: "Viewers' sessions opened." }),
    ended: metrics.counter({
      name: "cidcast_webrtc_sessions_ended_total",
      help: "Sessions ended, by how.",
      labelNames: ["how"],
    }),
    refused: metrics.counter({
      name: "cidcast_webrtc_sessions_refused_total",
      help: "Sessions refused at a limit.",
      labelNames: ["limit"],
    }),
    firstPacket: metrics.histogram({
      name: "cidcast_webrtc_first_packet_seconds",
      help: "From the request for a session to its first media packet, the viewer's own time included.",
      buckets: [0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 10],
    }),
    connect: metrics.histogram({
      name: "cidcast_webrtc_connect_seconds",
      help: "From the viewer's answer to a proven connection.",
      buckets: [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15],
    }),
  };
}

/** Counters of the media threads, brought up to date at each scrape. */
function declareTraffic(metrics: Metrics, traffic: WebRTCGauges["traffic"]): void {
  const packets = metrics.counter({
    name: "cidcast_webrtc_packets_total",
    help: "Media packets: sent, dropped because the socket took no more, failed.",
    labelNames: ["outcome"],
  });
  const bytes = metrics.counter({
    name: "cidcast_webrtc_sent_bytes_total",
    help: "Bytes of media packets sent, headers and encryption included.",
  });
  const datagrams = metrics.counter({
    name: "cidcast_webrtc_datagrams_total",
    help: "Datagrams that came to the media ports: taken, of nobody that is known here, refused for what they hold.",
    labelNames: ["outcome"],
  });
  const tcp = metrics.counter({
    name: "cidcast_webrtc_tcp_lost_total",
    help: "Of viewers over TCP: connections closed at a limit, and packets that a connection did not take.",
    labelNames: ["what"],
  });
  const connections = metrics.gauge({
    name: "cidcast_webrtc_tcp_connections",
    help: "Viewers' connections over TCP open.",
  });
  let before: HostStats | undefined;
  metrics.beforeScrape(async () => {
    const now = await traffic();
    if (now === undefined) return;
    // The sum is smaller once a thread was started anew: what the others have counted is not counted twice.
    const passed = (field: Exclude<keyof HostStats, "egress">): number =>
      Math.max(0, now[field] - (before?.[field] ?? 0));
    packets.add(passed("packets"), { outcome: "sent" });
    packets.add(passed("dropped"), { outcome: "dropped" });
    packets.add(passed("errors"), { outcome: "failed" });
    bytes.add(passed("bytes"));
    const [received, unknown, refused] = [passed("received"), passed("unknown"), passed("refused")];
    datagrams.add(Math.max(0, received - unknown - refused), { outcome: "taken" });
    datagrams.add(unknown, { outcome: "unknown" });
    datagrams.add(refused, { outcome: "refused" });
    tcp.add(passed("tcpRefused"), { what: "connections" });
    tcp.add(passed("tcpDropped"), { what: "packets" });
    connections.set(now.tcpConnections);
    before = now;
  });
}
