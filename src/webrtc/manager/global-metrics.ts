import type { SessionStats } from "../thread/messages.ts";

export interface GlobalMetricsInit {
  readonly measured: readonly SessionStats[];
  readonly totalConnections: number;
  readonly framesOfEnded: number;
  readonly uptimeSeconds: number;
  readonly nowMs: number;
}

/** Fields of `global_metrics` in the signalling: units as in `connection_stats`, memory in bytes. */
export function globalMetrics(init: GlobalMetricsInit): Readonly<Record<string, unknown>> {
  const { measured } = init;
  const mean = (pick: (stats: SessionStats) => number | undefined): number => {
    const known = measured.map(pick).filter(value => value !== undefined);
    return known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  return {
    active_connections: measured.length,
    total_connections: init.totalConnections,
    rtt_avg: mean(stats => stats.roundTripMs),
    packet_loss_avg: mean(stats => stats.packetLoss * 100),
    bandwidth_avg: mean(stats => stats.receivedBps),
    jitter_avg: mean(stats => stats.jitterMs),
    memory_usage: process.memoryUsage.rss(),
    uptime: init.uptimeSeconds,
    total_frames_sent: init.framesOfEnded + measured.reduce((sum, stats) => sum + stats.framesSent, 0),
    current_bitrate_total: measured.reduce((sum, stats) => sum + (stats.receivedBps ?? 0), 0),
    timestamp: init.nowMs / 1000,
  };
}
