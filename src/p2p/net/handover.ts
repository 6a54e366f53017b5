import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { Circuit } from "@multiformats/multiaddr-matcher";
import { CidcastError, type Clock, type Logger } from "../../core/index.ts";
import { RELAY_LINGER_MS } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";

export interface HandoverComponents {
  readonly libp2p: Libp2p;
  readonly metrics: PeerMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Takes what goes over a relay to a direct connection as soon as there is one: streams that this side opened end with an
 * error that says so (`details.moved`), and whoever owns them opens them anew; the relayed connection ends after a while.
 */
export class Handover {
  readonly #components: HandoverComponents;
  /** Streams that this side opened over a relay, by connection. */
  readonly #streams = new Map<string, Set<Stream>>();
  readonly #timers = new Map<string, () => void>();

  constructor(components: HandoverComponents) {
    this.#components = components;
    const { libp2p } = components;
    libp2p.addEventListener("connection:open", ({ detail }) => this.#opened(detail));
    libp2p.addEventListener("connection:close", ({ detail }) => this.#forget(detail.id));
  }

  /** Watches a stream that was opened on a relayed connection. */
  watch(stream: Stream, connection: Connection): void {
    if (!Circuit.matches(connection.remoteAddr)) return;
    const streams = this.#streams.get(connection.id) ?? new Set();
    this.#streams.set(connection.id, streams.add(stream));
    stream.addEventListener("close", () => streams.delete(stream));
  }

  stop(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#streams.clear();
  }

  #opened(direct: Connection): void {
    if (Circuit.matches(direct.remoteAddr)) return;
    const { libp2p, clock, log, metrics } = this.#components;
    const relayed = libp2p
      .getConnections(direct.remotePeer)
      .filter(connection => Circuit.matches(connection.remoteAddr));
    for (const connection of relayed) {
      const moved = [...(this.#streams.get(connection.id) ?? [])];
      log.info(
        { peer: direct.remotePeer.toString(), address: direct.remoteAddr.toString(), streams: moved.length },
        "a direct connection takes the place of the relay",
      );
      for (const stream of moved) {
        metrics.moved.add();
        stream.abort(
          new CidcastError("PEER_UNREACHABLE", "The stream moves from the relay to a direct connection", {
            details: { moved: true },
          }),
        );
      }
      this.#timers.get(connection.id)?.();
      this.#timers.set(
        connection.id,
        clock.after(RELAY_LINGER_MS, () => {
          // It may have ended meanwhile: then the relay is what is left.
          if (this.#isDirect(direct)) connection.abort(new Error("a direct connection is there"));
        }),
      );
    }
  }

  #isDirect({ remotePeer }: Connection): boolean {
    return this.#components.libp2p
      .getConnections(remotePeer)
      .some(({ status, remoteAddr }) => status === "open" && !Circuit.matches(remoteAddr));
  }

  #forget(connectionId: string): void {
    this.#streams.delete(connectionId);
    this.#timers.get(connectionId)?.();
    this.#timers.delete(connectionId);
  }
}
