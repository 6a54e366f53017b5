import type { Counter, Gauge, Metrics } from "../core/index.ts";

export interface TransferMetrics {
  readonly sentBlocks: Counter;
  readonly sentBytes: Counter;
  readonly receivedBlocks: Counter;
  readonly receivedBytes: Counter;
  readonly redundantBlocks: Counter;
  readonly demands: Counter;
  readonly finished: Counter;
  readonly running: Gauge;
  readonly handovers: Counter;
  readonly servedStreams: Gauge;
  readonly limits: Counter;
}

/** The metrics of this domain. */
export function transferMetrics(metrics: Metrics): TransferMetrics {
  return {
    sentBlocks: metrics.counter({
      name: "cidcast_transfer_sent_blocks_total",
      help: "Blocks sent by the content protocol.",
    }),
    sentBytes: metrics.counter({
      name: "cidcast_transfer_sent_bytes_total",
      help: "Bytes of blocks sent by the content protocol.",
    }),
    receivedBlocks: metrics.counter({
      name: "cidcast_transfer_received_blocks_total",
      help: "Blocks received, verified and stored, by rung.",
      labelNames: ["rung"],
    }),
    receivedBytes: metrics.counter({
      name: "cidcast_transfer_received_bytes_total",
      help: "Bytes of blocks received, verified and stored, by rung.",
      labelNames: ["rung"],
    }),
    redundantBlocks: metrics.counter({
      name: "cidcast_transfer_redundant_blocks_total",
      help: "Blocks received that were here already or not asked for, by rung.",
      labelNames: ["rung"],
    }),
    demands: metrics.counter({
      name: "cidcast_transfer_demands_total",
      help: "Blocks of transfers under way that a reader waited for, by result.",
      labelNames: ["result"],
    }),
    running: metrics.gauge({ name: "cidcast_transfers_running", help: "Transfers that run." }),
    finished: metrics.counter({
      name: "cidcast_transfers_total",
      help: "Transfers that are over, by how they ended.",
      labelNames: ["result"],
    }),
    handovers: metrics.counter({
      name: "cidcast_transfer_handovers_total",
      help: "Times that a transfer went on with its next source, by the rung left and the reason.",
      labelNames: ["rung", "code"],
    }),
    servedStreams: metrics.gauge({
      name: "cidcast_transfer_served_streams",
      help: "Streams of the content protocol that are being answered.",
    }),
    limits: metrics.counter({
      name: "cidcast_transfer_limits_total",
      help: "Limits hit by peers, by name.",
      labelNames: ["limit"],
    }),
  };
}
