import type { ConnectionGater, MultiaddrConnection, PeerId } from "@libp2p/interface";
import type { Clock } from "../../core/index.ts";
import { MAX_ALLOWED_DIALS, MAX_RATED_HOSTS, type PeerLimits } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";

/** Length of the window in which the connections of a host are counted, milliseconds. */
const RATE_WINDOW_MS = 1000;

export interface ConnectionGateComponents {
  readonly clock: Clock;
  readonly metrics: PeerMetrics;
  /** True for peers that no connection is wanted with at present. */
  readonly isBanned: (peerId: string) => boolean;
  /** Connections open now. */
  readonly openConnections: () => number;
}

/** Decides which connections come about: inbound within the limits, outbound only where the owner named the peer. */
export class ConnectionGate {
  readonly #limits: PeerLimits;
  readonly #components: ConnectionGateComponents;
  readonly #allowed = new Set<string>();
  readonly #rates = new Map<string, { startedMs: number; count: number }>();

  constructor(limits: PeerLimits, components: ConnectionGateComponents) {
    this.#limits = limits;
    this.#components = components;
  }

  /** Lets this peer be dialled by its id from now on. */
  allowDial(peerId: string): void {
    this.#allowed.delete(peerId);
    this.#allowed.add(peerId);
    const oldest = this.#allowed.values().next().value;
    if (this.#allowed.size > MAX_ALLOWED_DIALS && oldest !== undefined) this.#allowed.delete(oldest);
  }

  /** The rules as libp2p asks for them. */
  readonly gater: ConnectionGater = {
    denyDialPeer: (peerId: PeerId) => {
      const isBanned = this.#isBanned(peerId);
      if (!isBanned && this.#allowed.has(peerId.toString())) return false;
      if (!isBanned) this.#components.metrics.refused.add(1, { reason: "dial_not_asked_for" });
      return true;
    },
    denyInboundEncryptedConnection: peerId => this.#isBanned(peerId),
    denyInboundConnection: (connection: MultiaddrConnection) => {
      const reason = this.#reasonToRefuse(connection);
      if (reason === undefined) return false;
      this.#components.metrics.refused.add(1, { reason });
      return true;
    },
  };

  #isBanned(peerId: PeerId): boolean {
    const isBanned = this.#components.isBanned(peerId.toString());
    if (isBanned) this.#components.metrics.refused.add(1, { reason: "banned" });
    return isBanned;
  }

  #reasonToRefuse(connection: MultiaddrConnection): string | undefined {
    if (this.#components.openConnections() >= this.#limits.maxConnections) return "max_connections";
    const host = hostOf(connection);
    const now = this.#components.clock.monotonicMs();
    const rate = this.#rates.get(host);
    if (rate === undefined || now - rate.startedMs >= RATE_WINDOW_MS) {
      this.#rates.delete(host);
      this.#rates.set(host, { startedMs: now, count: 1 });
      const oldest = this.#rates.keys().next().value;
      if (this.#rates.size > MAX_RATED_HOSTS && oldest !== undefined) this.#rates.delete(oldest);
      return undefined;
    }
    rate.count++;
    return rate.count > this.#limits.maxInboundPerSecond ? "inbound_rate" : undefined;
  }
}

/** The first two parts of a multiaddr name the host: `/ip4/192.0.2.1`. */
function hostOf(connection: MultiaddrConnection): string {
  return connection.remoteAddr.toString().split("/").slice(0, 3).join("/");
}
