import type { Counter, Gauge, Metrics } from "../core/index.ts";

export interface ContentMetrics {
  readonly blocksRead: Counter;
  readonly bytesRead: Counter;
  readonly blocksWritten: Counter;
  readonly bytesWritten: Counter;
  readonly corruptBlocks: Counter;
  readonly blocksFetched: Counter;
  readonly adds: Counter;
  readonly bytesAdded: Counter;
  readonly removedBlocks: Counter;
  readonly freedBytes: Counter;
  readonly limitsHit: Counter;
  readonly holds: Gauge;
}

/** The metrics of this domain. `holds` is asked for at each scrape. */
export function contentMetrics(metrics: Metrics, holds: () => number = () => 0): ContentMetrics {
  const counter = (name: string, help: string, labelNames: readonly string[] = []): Counter =>
    metrics.counter({ name: `cidcast_content_${name}`, help, labelNames });
  return {
    blocksRead: counter("blocks_read_total", "Blocks read from the store."),
    bytesRead: counter("read_bytes_total", "Bytes of blocks read from the store."),
    blocksWritten: counter("blocks_written_total", "Blocks handed to the store."),
    bytesWritten: counter("written_bytes_total", "Bytes of blocks handed to the store."),
    corruptBlocks: counter("corrupt_blocks_total", "Blocks whose bytes did not match their CID, by origin.", [
      "origin",
    ]),
    blocksFetched: counter("blocks_fetched_total", "Missing blocks asked of the network, by result.", [
      "result",
    ]),
    adds: counter("adds_total", "Adds, by result.", ["result"]),
    bytesAdded: counter("added_bytes_total", "Bytes of file content taken in by adds."),
    removedBlocks: counter("gc_removed_blocks_total", "Blocks removed by garbage collection."),
    freedBytes: counter("gc_freed_bytes_total", "Bytes of the blocks removed by garbage collection."),
    limitsHit: counter("limits_hit_total", "Requests refused at a limit, by limit.", ["limit"]),
    holds: metrics.gauge({
      name: "cidcast_content_holds",
      help: "DAGs kept from garbage collection because they are in use.",
      collect: holds,
    }),
  };
}
