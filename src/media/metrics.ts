import type { Counter, Gauge, Histogram, Metrics } from "../core/index.ts";

/** Metrics of this domain. */
export interface MediaMetrics {
  readonly gopRequests: Counter;
  readonly gopEvictions: Counter;
  readonly probes: Counter;
  readonly openSources: Gauge;
  readonly transcodeJobs: Gauge;
  readonly transcodeStarts: Counter;
  readonly transcodeRefused: Counter;
  readonly transcodePaced: Counter;
  readonly transcodeFirstSegment: Histogram;
}

/** Declares the metrics; `storeBytes` is asked at each scrape. */
export function declareMetrics(metrics: Metrics, storeBytes: () => number): MediaMetrics {
  metrics.gauge({
    name: "cidcast_gop_store_bytes",
    help: "Encoded media kept for viewers.",
    collect: storeBytes,
  });
  return {
    gopRequests: metrics.counter({
      name: "cidcast_gop_store_requests_total",
      help: "Requests to the GOP store, by whether the segment was there.",
      labelNames: ["result"],
    }),
    gopEvictions: metrics.counter({
      name: "cidcast_gop_store_evictions_total",
      help: "Entries that the GOP store dropped to stay within its limit.",
    }),
    probes: metrics.counter({
      name: "cidcast_media_probes_total",
      help: "Files looked at, by outcome.",
      labelNames: ["result"],
    }),
    openSources: metrics.gauge({ name: "cidcast_media_open_sources", help: "Media handles that are open." }),
    transcodeJobs: metrics.gauge({
      name: "cidcast_transcode_jobs",
      help: "Transcode jobs under way, by kind of track.",
      labelNames: ["kind"],
    }),
    transcodeStarts: metrics.counter({
      name: "cidcast_transcode_starts_total",
      help: "Transcode jobs started, by kind of track and reason.",
      labelNames: ["kind", "reason"],
    }),
    transcodeRefused: metrics.counter({
      name: "cidcast_transcode_refused_total",
      help: "Transcode jobs refused because the limit was reached, by kind of track.",
      labelNames: ["kind"],
    }),
    transcodePaced: metrics.counter({
      name: "cidcast_transcode_paced_total",
      help: "Times that a transcode began to leave out more or fewer pictures, by the level it went to: 0 is none.",
      labelNames: ["level"],
    }),
    transcodeFirstSegment: metrics.histogram({
      name: "cidcast_transcode_first_segment_seconds",
      help: "Time from the request for a place to its first segment, by kind of track.",
      labelNames: ["kind"],
      buckets: [0.05, 0.1, 0.2, 0.4, 0.6, 0.9, 1.5, 3, 6],
    }),
  };
}
