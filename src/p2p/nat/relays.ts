import type { PeerId, Transport } from "@libp2p/interface";
import type { TransportManager } from "@libp2p/interface-internal";
import { multiaddr } from "@multiformats/multiaddr";
import { type BackoffInit, backoffMs, type Clock, type Logger, messageOf } from "../../core/index.ts";
import type { PeerMetrics } from "../metrics.ts";
import { delay } from "../net/delay.ts";

/** Waits between tries to get a place at a relay. */
const RESERVE_BACKOFF: BackoffInit = { initialMs: 1000, maxMs: 60_000 };

/** A place at a relay, or why there is none. */
export interface RelayState {
  /** Multiaddr of the relay, as configured. */
  readonly relay: string;
  readonly state: "reserved" | "trying";
  /** Why the last try failed. */
  readonly reason: string | undefined;
}

export interface RelaysComponents {
  readonly transportManager: TransportManager;
  /** The transport of relayed connections. */
  readonly transport: Transport;
  /** Dials the relay; gives its PeerId. */
  readonly dial: (address: string, signal: AbortSignal) => Promise<PeerId>;
  /** Resolves when no connection to the relay is left, or the signal aborts. */
  readonly disconnected: (peerId: string, signal: AbortSignal) => Promise<void>;
  readonly metrics: PeerMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Of the transport of relayed connections: who keeps the places. Not published by libp2p; looked at before it is used. */
interface Reservations {
  hasReservation(peerId: PeerId): boolean;
  addRelay(peerId: PeerId, type: "configured"): Promise<unknown>;
}

/** Keeps a place at each relay: reserves, renews by libp2p's own schedule, and reserves anew after a lost connection. */
export class Relays {
  readonly #components: RelaysComponents;
  readonly #states = new Map<string, RelayState>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #listening = new Set<string>();
  readonly #stop = new AbortController();

  constructor(components: RelaysComponents) {
    this.#components = components;
  }

  get states(): readonly RelayState[] {
    return [...this.#states.values()];
  }

  add(relay: string): void {
    if (this.#running.has(relay) || this.#stop.signal.aborted) return;
    this.#states.set(relay, { relay, state: "trying", reason: undefined });
    this.#running.set(relay, this.#keep(relay, this.#stop.signal));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running.values());
    this.#running.clear();
    this.#states.clear();
  }

  async #keep(relay: string, signal: AbortSignal): Promise<void> {
    const { dial, disconnected, clock, log } = this.#components;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const peerId = await dial(relay, signal);
        await this.#reserve(relay, peerId);
        log.info({ relay }, "reachable through a relay");
        this.#set({ relay, state: "reserved", reason: undefined });
        attempt = 0;
        await disconnected(peerId.toString(), signal);
        this.#set({ relay, state: "trying", reason: "the connection to the relay was lost" });
      } catch (error) {
        if (signal.aborted) return;
        log[attempt === 0 ? "warn" : "debug"]({ relay, reason: messageOf(error) }, "no place at a relay");
        this.#set({ relay, state: "trying", reason: messageOf(error) });
      }
      await delay(clock, backoffMs(attempt, RESERVE_BACKOFF), signal);
    }
  }

  async #reserve(relay: string, peerId: PeerId): Promise<void> {
    const { transport, transportManager } = this.#components;
    const known = reservationsOf(transport);
    if (known !== undefined && this.#listening.has(relay)) {
      // The listener of the first time takes the new addresses; another one would only be there beside it.
      if (!known.hasReservation(peerId)) await known.addRelay(peerId, "configured");
      return;
    }
    const at = relay.includes("/p2p/") ? relay : `${relay}/p2p/${peerId.toString()}`;
    await transportManager.listen([multiaddr(`${at}/p2p-circuit`)]);
    if (known?.hasReservation(peerId) === false) throw new Error("the relay gave no place");
    this.#listening.add(relay);
  }

  #set(state: RelayState): void {
    this.#states.set(state.relay, state);
    const reserved = this.states.filter(other => other.state === "reserved").length;
    this.#components.metrics.relayReservations.set(reserved);
  }
}

function reservationsOf(transport: Transport): Reservations | undefined {
  const store: unknown = Reflect.get(transport, "reservationStore");
  if (typeof store !== "object" || store === null) return undefined;
  const isKnown = ["hasReservation", "addRelay"].every(
    name => typeof Reflect.get(store, name) === "function",
  );
  // Both methods were looked at; their arguments are held by the tests of relays.
  return isKnown ? (store as Reservations) : undefined;
}
