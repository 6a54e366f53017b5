import { networkInterfaces } from "node:os";
import type { Libp2pEvents, TypedEventTarget } from "@libp2p/interface";
import type { AddressManager } from "@libp2p/interface-internal";
import { getNetConfig, isPrivate } from "@libp2p/utils";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { Circuit } from "@multiformats/multiaddr-matcher";
import type { PunchResults } from "./hole-punch.ts";
import { type NatKind, Observations } from "./observations.ts";
import type { RelayState, Relays } from "./relays.ts";
import type { SharedPort } from "./shared-port.ts";

/** Whether others can dial this node, as far as it knows. */
export interface Reachability {
  /**
   * `public`: an address that anybody reaches is confirmed. `relayed`: only through a relay. `private`: behind a NAT, without
   * a relay. `local`: it listens for this machine or its own network alone. `unknown`: nobody has said.
   */
  readonly state: "public" | "relayed" | "private" | "local" | "unknown";
  readonly nat: NatKind;
  /** Outer addresses that others see. */
  readonly observed: readonly string[];
  readonly relays: readonly RelayState[];
  /** Hole punches that were begun here and how they ended; undefined where they are switched off. */
  readonly punches: PunchResults | undefined;
}

export interface ReachabilityComponents {
  readonly addressManager: AddressManager;
  readonly events: TypedEventTarget<Libp2pEvents>;
  readonly sharedPort: SharedPort | undefined;
  readonly relays: Relays;
  readonly punches: () => PunchResults | undefined;
}

/** Finds out what others see of this node. */
export class ReachabilityWatch {
  readonly #components: ReachabilityComponents;
  readonly #observations = new Observations();

  constructor(components: ReachabilityComponents) {
    this.#components = components;
    components.events.addEventListener("peer:identify", ({ detail }) => {
      const { observedAddr, connection } = detail;
      if (observedAddr === undefined || components.sharedPort?.carries(connection) !== true) return;
      if (Circuit.matches(observedAddr)) return;
      try {
        const seen = getNetConfig(observedAddr);
        const observer = getNetConfig(connection.remoteAddr);
        if (seen.type !== "ip4" && seen.type !== "ip6") return;
        this.#observations.note(observer.host, seen.host, seen.port ?? 0);
      } catch {
        // An address without host and port says nothing.
      }
    });
  }

  /** Addresses at which a peer can dial us while we dial it. */
  candidates(): Multiaddr[] {
    const open = this.#components.addressManager
      .getAddresses()
      .filter(address => !isPrivate(address) && !Circuit.matches(address));
    return [...open, ...this.#observations.candidates().map(text => multiaddr(text))];
  }

  get(): Reachability {
    const nat = this.#observations.kind(ownAddresses());
    const observed = this.#observations.candidates();
    const { relays, punches } = this.#components;
    return { state: this.#state(nat), nat, observed, relays: relays.states, punches: punches() };
  }

  #state(nat: NatKind): Reachability["state"] {
    const { addressManager, relays } = this.#components;
    const told = addressManager.getAddressesWithMetadata();
    const isOpen = (address: (typeof told)[number]): boolean =>
      address.verified && !isPrivate(address.multiaddr) && !Circuit.matches(address.multiaddr);
    if (told.some(isOpen)) return "public";
    if (relays.states.some(({ state }) => state === "reserved")) return "relayed";
    if (nat === "endpoint-independent" || nat === "endpoint-dependent") return "private";
    if (told.every(({ multiaddr: address }) => isPrivate(address))) return "local";
    return "unknown";
  }
}

/** IP addresses of this machine. */
function ownAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({ address }) => address)),
  );
}
