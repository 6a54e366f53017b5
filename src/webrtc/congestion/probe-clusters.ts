/** Clusters that may be under way at a time. */
const CLUSTERS = 8;
/** Share of a cluster that must arrive before it says anything: what is missing may still be on its way. */
const ENOUGH_SHARE = 0.8;
/** Fewest packets that a rate is taken from. */
const ENOUGH_PACKETS = 4;
/** Arrival quicker than this many times sending is no measurement but a viewer that read several packets at once. */
const ABSURD_FACTOR = 1.5;
/** Arrival slower than this share of sending means that the path was full: then it carries a little less than arrived. */
const FULL_SHARE = 0.9;
const FULL_FACTOR = 0.95;
/** How long answers are waited for, ms. */
const LIFE_MS = 2000;
/** Least time that a rate is taken over, ms. */
const LEAST_SPAN_MS = 5;

interface Cluster {
  id: number;
  startedMs: number;
  packets: number;
  bytes: number;
  /** Of the packets that left at the last moment: no time was left for them. */
  lastBytes: number;
  firstSentMs: number;
  lastSentMs: number;
  closed: boolean;
  arrived: number;
  arrivedBytes: number;
  firstArrivedMs: number;
  firstArrivedBytes: number;
  lastArrivedMs: number;
}

/** What a probe has shown. */
export interface ProbeResult {
  /** `measured`: `bps` is what arrived. `absurd`: it makes no sense and says nothing. */
  readonly kind: "measured" | "absurd";
  readonly bps: number;
  readonly sentBps: number;
}

/**
 * Runs of packets sent faster than the media, to see whether the path carries more. Numbers are 1 to 255; 0 is no cluster.
 * Without a clock: every call names its time.
 */
export class ProbeClusters {
  readonly #clusters: Cluster[] = [];
  #last = 0;

  /** Begins a cluster; packets sent under its number belong to it until {@link close}. */
  open(nowMs: number): number {
    this.#last = (this.#last % 255) + 1;
    if (this.#clusters.length >= CLUSTERS) this.#clusters.shift();
    this.#clusters.push({
      id: this.#last,
      startedMs: nowMs,
      packets: 0,
      bytes: 0,
      lastBytes: 0,
      firstSentMs: nowMs,
      lastSentMs: nowMs,
      closed: false,
      arrived: 0,
      arrivedBytes: 0,
      firstArrivedMs: Number.POSITIVE_INFINITY,
      firstArrivedBytes: 0,
      lastArrivedMs: Number.NEGATIVE_INFINITY,
    });
    return this.#last;
  }

  onSent(id: number, bytes: number, nowMs: number): void {
    const cluster = this.#find(id);
    if (cluster === undefined) return;
    if (cluster.packets === 0) cluster.firstSentMs = nowMs;
    if (nowMs > cluster.lastSentMs || cluster.packets === 0) cluster.lastBytes = 0;
    cluster.packets++;
    cluster.bytes += bytes;
    cluster.lastBytes += bytes;
    cluster.lastSentMs = nowMs;
  }

  /** All of it has been sent. */
  close(id: number): void {
    const cluster = this.#find(id);
    if (cluster !== undefined) cluster.closed = true;
  }

  onArrival(id: number, bytes: number, arrivedMs: number): void {
    const cluster = this.#find(id);
    if (cluster === undefined) return;
    cluster.arrived++;
    cluster.arrivedBytes += bytes;
    if (arrivedMs < cluster.firstArrivedMs) {
      cluster.firstArrivedMs = arrivedMs;
      cluster.firstArrivedBytes = bytes;
    }
    cluster.lastArrivedMs = Math.max(cluster.lastArrivedMs, arrivedMs);
  }

  /** The result of a cluster that has said enough; each is given once. */
  take(nowMs: number): ProbeResult | undefined {
    while ((this.#clusters[0]?.startedMs ?? nowMs) < nowMs - LIFE_MS) this.#clusters.shift();
    const at = this.#clusters.findIndex(
      ({ closed, packets, arrived }) =>
        closed && arrived >= ENOUGH_PACKETS && arrived >= packets * ENOUGH_SHARE,
    );
    if (at < 0) return undefined;
    const [cluster] = this.#clusters.splice(at, 1);
    return cluster === undefined ? undefined : weigh(cluster);
  }

  #find(id: number): Cluster | undefined {
    if (id === 0) return undefined;
    for (const cluster of this.#clusters) if (cluster.id === id) return cluster;
    return undefined;
  }
}

/** Bytes over the time they took: the last ones sent, and the first that arrived, only mark its ends. */
function weigh(cluster: Cluster): ProbeResult {
  const sentSpan = cluster.lastSentMs - cluster.firstSentMs;
  const arrivedSpan = cluster.lastArrivedMs - cluster.firstArrivedMs;
  const sentBps = ((cluster.bytes - cluster.lastBytes) * 8000) / Math.max(LEAST_SPAN_MS, sentSpan);
  const arrivedBps =
    ((cluster.arrivedBytes - cluster.firstArrivedBytes) * 8000) / Math.max(LEAST_SPAN_MS, arrivedSpan);
  if (sentSpan < LEAST_SPAN_MS || arrivedSpan < LEAST_SPAN_MS || arrivedBps > ABSURD_FACTOR * sentBps) {
    return { kind: "absurd", bps: arrivedBps, sentBps };
  }
  const bps = arrivedBps < FULL_SHARE * sentBps ? FULL_FACTOR * arrivedBps : Math.min(sentBps, arrivedBps);
  return { kind: "measured", bps, sentBps };
}
