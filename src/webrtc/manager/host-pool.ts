import { backoffMs, type Cancel, CidcastError, type Clock, type Logger } from "../../core/index.ts";
import type { EgressKind } from "../rtp/egress/index.ts";
import { type HostClient, startHost } from "../thread/host-client.ts";
import type { HostInit, HostStats, SessionNote } from "../thread/messages.ts";

/** Highest UDP port. */
const LAST_PORT = 65_535;
/** Waits before a lost thread is started anew. */
const RESTART = { initialMs: 250, maxMs: 30_000 };
/** A thread that lived so long is not counted among failures in a row, ms. */
const STEADY_MS = 60_000;
/** What a viewer is told to wait while no thread runs, seconds. */
const RESTART_RETRY_SECONDS = 2;

export interface HostPoolInit {
  /** For each host but its port. */
  readonly host: Omit<HostInit, "port">;
  /** UDP port of the first host, the next ones count up; 0: any free ones. */
  readonly port: number;
  /** Media threads; 0: the calling thread is the host. */
  readonly workers: number;
  readonly log: Logger;
  readonly clock: Clock;
  readonly onNote: (note: SessionNote) => void;
  /** A thread is gone although nobody stopped it: its sessions are. */
  readonly onLost: (host: HostClient, error: Error) => void;
}

/**
 * The hosts of a manager: each session lives in one of them, new ones in the one with the fewest. One that is lost takes
 * its own sessions with it, the others go on, and another takes its place.
 */
export class HostPool {
  readonly #init: HostPoolInit;
  readonly #loads = new Map<HostClient, number>();
  readonly #restarts = new Set<Cancel>();
  #stopped = false;

  /** Starts all hosts, or none: throws what kept one from starting. */
  static async start(init: HostPoolInit): Promise<HostPool> {
    const count = Math.max(1, init.workers);
    if (init.port + count - 1 > LAST_PORT) {
      throw new CidcastError(
        "INVALID_CONFIG",
        `${count} media threads from UDP port ${init.port} on go beyond ${LAST_PORT}: lower webrtc.udpPort`,
      );
    }
    const pool = new HostPool(init);
    const starts = Array.from({ length: count }, (_, i) => pool.#startOne(i, 0));
    const results = await Promise.allSettled(starts);
    // In the order of their ports, whichever was quicker.
    for (const result of results) if (result.status === "fulfilled") pool.#loads.set(result.value, 0);
    const failed = results.find(result => result.status === "rejected");
    if (failed === undefined) return pool;
    await pool.stop();
    throw failed.reason;
  }

  private constructor(init: HostPoolInit) {
    this.#init = init;
  }

  get hosts(): readonly HostClient[] {
    return [...this.#loads.keys()];
  }

  /** `js` when any of them sends so. */
  get egress(): EgressKind {
    return this.hosts.every(host => host.egress === "batched") ? "batched" : "js";
  }

  /** Hosts that send in batches. */
  get batched(): number {
    return this.hosts.filter(host => host.egress === "batched").length;
  }

  /** The host for one more session; give it back with {@link release}. `BUSY` while all are lost. */
  take(): HostClient {
    let best: HostClient | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [host, load] of this.#loads) {
      if (load < least) [best, least] = [host, load];
    }
    if (best === undefined) {
      throw new CidcastError("BUSY", "the media thread has ended and is started anew", {
        retryAfterSeconds: RESTART_RETRY_SECONDS,
      });
    }
    this.#loads.set(best, least + 1);
    return best;
  }

  /** A session of that host is over. */
  release(host: HostClient): void {
    const load = this.#loads.get(host);
    if (load !== undefined) this.#loads.set(host, load - 1);
  }

  /** Sums over all hosts; the lag is that of the latest. */
  async stats(): Promise<HostStats> {
    const all = await Promise.all(this.hosts.map(host => host.ask("host_stats", {})));
    const sum = (field: Exclude<keyof HostStats, "egress">): number =>
      all.reduce((total, stats) => total + stats[field], 0);
    return {
      egress: this.egress,
      sessions: sum("sessions"),
      segments: sum("segments"),
      packets: sum("packets"),
      bytes: sum("bytes"),
      dropped: sum("dropped"),
      errors: sum("errors"),
      received: sum("received"),
      refused: sum("refused"),
      unknown: sum("unknown"),
      tcpConnections: sum("tcpConnections"),
      tcpRefused: sum("tcpRefused"),
      tcpDropped: sum("tcpDropped"),
      maxTickLagMs: Math.max(0, ...all.map(stats => stats.maxTickLagMs)),
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#restarts) cancel();
    this.#restarts.clear();
    await Promise.all(this.hosts.map(host => host.stop()));
  }

  async #startOne(index: number, failures: number): Promise<HostClient> {
    const init = this.#init;
    const startedMs = init.clock.monotonicMs();
    let host: HostClient | undefined;
    host = await startHost({
      host: { ...init.host, port: init.port === 0 ? 0 : init.port + index },
      thread: init.workers > 0,
      log: init.log,
      onNote: init.onNote,
      onLost: error => {
        // One that never came up is told of by the rejection.
        if (host === undefined) return;
        this.#loads.delete(host);
        init.onLost(host, error);
        const steady = init.clock.monotonicMs() - startedMs >= STEADY_MS;
        this.#startAgain(index, steady ? 0 : failures);
      },
    });
    return host;
  }

  #startAgain(index: number, failures: number): void {
    if (this.#stopped) return;
    const { log, clock } = this.#init;
    const cancel = clock.after(backoffMs(failures, RESTART), () => {
      this.#restarts.delete(cancel);
      this.#startOne(index, failures + 1).then(
        host => {
          if (this.#stopped) {
            void host.stop();
            return;
          }
          this.#loads.set(host, 0);
          log.info({ ...host.address, egress: host.egress }, "media thread started anew");
        },
        (error: unknown) => {
          log.error({ err: error }, "media thread could not be started anew");
          this.#startAgain(index, failures + 1);
        },
      );
    });
    this.#restarts.add(cancel);
  }
}
