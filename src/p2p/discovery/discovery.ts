import { randomBytes } from "node:crypto";
import type { Libp2p } from "@libp2p/interface";
import { type Clock, type Logger, messageOf } from "../../core/index.ts";
import {
  MAX_DISCOVERY_DIALS,
  RANDOM_WALK_DELAY_MS,
  RANDOM_WALK_INTERVAL_MS,
  RANDOM_WALK_TIMEOUT_MS,
  WANTED_PEERS,
} from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import type { Role } from "../net/roles.ts";

export interface DiscoveryComponents {
  readonly libp2p: Libp2p;
  /** Dials a peer that was found. */
  readonly dial: (peerId: string, addresses: readonly string[]) => Promise<unknown>;
  /** True for peers that no connection is wanted with at present. */
  readonly isUnwanted: (peerId: string) => boolean;
  readonly metrics: PeerMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface DiscoveryInit {
  readonly role: Role;
  /** Walks the DHT. */
  readonly walks: boolean;
}

/** Connects to peers that are found (on the local network, announced, in the DHT) until there are enough. */
export class Discovery {
  readonly #init: DiscoveryInit;
  readonly #components: DiscoveryComponents;
  readonly #stop = new AbortController();
  readonly #dialling = new Set<string>();
  #cancels: (() => void)[] = [];
  #started = false;

  constructor(init: DiscoveryInit, components: DiscoveryComponents) {
    this.#init = init;
    this.#components = components;
  }

  start(): void {
    if (this.#started || this.#stop.signal.aborted) return;
    this.#started = true;
    const { libp2p, clock } = this.#components;
    libp2p.addEventListener("peer:discovery", ({ detail }) => {
      this.found(detail.id.toString(), detail.multiaddrs.map(String));
    });
    if (!this.#init.walks || !this.#init.role.randomWalk) return;
    this.#cancels = [
      clock.after(RANDOM_WALK_DELAY_MS, () => void this.#walk()),
      clock.every(RANDOM_WALK_INTERVAL_MS, () => void this.#walk()),
    ];
  }

  stop(): void {
    this.#stop.abort();
    for (const cancel of this.#cancels) cancel();
  }

  /** A peer somebody told of: dialled where the role does so, and while more peers are wanted. */
  found(peerId: string, addresses: readonly string[]): void {
    const { libp2p, dial, isUnwanted, metrics, log } = this.#components;
    if (!this.#started || this.#stop.signal.aborted || !this.#init.role.dialsAnnounced) return;
    if (peerId === libp2p.peerId.toString() || this.#dialling.has(peerId) || isUnwanted(peerId)) return;
    const connections = libp2p.getConnections();
    if (connections.length + this.#dialling.size >= WANTED_PEERS) return;
    if (this.#dialling.size >= MAX_DISCOVERY_DIALS) return;
    if (connections.some(({ remotePeer }) => remotePeer.toString() === peerId)) return;
    metrics.discovered.add();
    this.#dialling.add(peerId);
    dial(peerId, addresses)
      .catch((error: unknown) => log.debug({ peer: peerId, reason: messageOf(error) }, "found, not reached"))
      .finally(() => this.#dialling.delete(peerId));
  }

  /** Looks for whoever is near a random place: the DHT comes to know peers, and this node too. */
  async #walk(): Promise<void> {
    const { libp2p, log } = this.#components;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(RANDOM_WALK_TIMEOUT_MS)]);
    try {
      for await (const peer of libp2p.peerRouting.getClosestPeers(randomBytes(32), { signal })) {
        this.found(peer.id.toString(), peer.multiaddrs.map(String));
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) log.debug({ reason: messageOf(error) }, "a walk ended early");
    }
  }
}
