import type { ConnectionGater, MultiaddrConnection, PeerId } from "@libp2p/interface";
import { isPrivate } from "@libp2p/utils";
import type { Clock } from "../../core/index.ts";
import { MAX_ALLOWED_DIALS, MAX_RATED_HOSTS, type PeerLimits } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";

/** Length of the window in which the connections of a host are counted, milliseconds. */
const RATE_WINDOW_MS = 1000;

/** Who may be dialled beside those whom the owner named: nobody, or who was found at an address of a local network, of the public one, or at any. */
export type DialPolicy = "named" | "local" | "public" | "any";

export interface ConnectionGateComponents {
  readonly dials: DialPolicy;
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
      if (!isBanned && (this.#components.dials !== "named" || this.#allowed.has(peerId.toString()))) {
        return false;
      }
      if (!isBanned) this.#components.metrics.refused.add(1, { reason: "dial_not_asked_for" });
      return true;
    },
    denyDialMultiaddr: address => {
      const { dials } = this.#components;
      if (dials === "named" || dials === "any" || isPrivate(address) !== (dials === "public")) return false;
      const peerId = address.getComponents().findLast(component => component.name === "p2p")?.value;
      if (peerId === undefined || this.#allowed.has(peerId)) return false;
      // Records of strangers must not make this node knock at the doors of its own network, nor leave it.
      this.#components.metrics.refused.add(1, { reason: "address_not_asked_for" });
      return true;
    },
    denyInboundEncryptedConnection: peerId => this.#isBanned(peerId),
    denyInboundRelayReservation: peerId => this.#isBanned(peerId),
    denyOutboundRelayedConnection: (source, target) => this.#isBanned(source) || this.#isBanned(target),
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
