import type { Connection, Libp2p } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { Circuit } from "@multiformats/multiaddr-matcher";
import { CidcastError, withTimeout } from "../../core/index.ts";
import type { PeerLimits } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import type { ConnectOptions } from "../types.ts";
import type { ConnectionGate } from "./connection-gate.ts";
import { parseMultiaddr, toPeerError } from "./peer-errors.ts";

export interface DialerComponents {
  readonly libp2p: Libp2p;
  readonly gate: ConnectionGate;
  readonly metrics: PeerMetrics;
}

/** Dials peers that somebody asked for, and gives the connection there is, a direct one before a relayed one. */
export class Dialer {
  readonly #limits: PeerLimits;
  readonly #components: DialerComponents;

  constructor(limits: PeerLimits, components: DialerComponents) {
    this.#limits = limits;
    this.#components = components;
  }

  /** The best open connection to a peer. */
  openConnection(peerId: string): Connection | undefined {
    const open = this.#components.libp2p
      .getConnections()
      .filter(({ remotePeer, status }) => status === "open" && remotePeer.toString() === peerId);
    return open.find(connection => !Circuit.matches(connection.remoteAddr)) ?? open[0];
  }

  /**
   * Dials a PeerId or multiaddr, or gives the connection there is. `PEER_UNREACHABLE` when no address answers. `found`: a
   * stranger told of it, so that the gate's policy decides; else the owner has named it.
   */
  async dial(target: string, options: ConnectOptions & { readonly found?: boolean }): Promise<Connection> {
    const { libp2p, gate, metrics } = this.#components;
    const what = `Connecting to ${target}`;
    const isAddress = target.startsWith("/");
    const addresses = (isAddress ? [target] : (options.addresses ?? [])).map(parseMultiaddr);
    const peerId = isAddress ? idOf(addresses) : target;
    const open = peerId === undefined ? undefined : this.openConnection(peerId);
    if (open !== undefined && !(options.direct === true && Circuit.matches(open.remoteAddr))) return open;
    // The relays on the way are asked for with the peer behind them.
    const named = options.found === true ? [] : [peerId, ...addresses.flatMap(idsOf)];
    for (const id of named) if (id !== undefined) gate.allowDial(id);
    try {
      const connection = await withTimeout(
        this.#limits.dialTimeoutMs,
        what,
        signal => libp2p.dial(dialTarget(target, addresses), { signal, force: options.direct === true }),
        options,
      );
      if (peerId !== undefined && connection.remotePeer.toString() !== peerId) {
        connection.abort(new Error("another peer answered"));
        throw new CidcastError("PEER_UNREACHABLE", `${what}: another peer answered`);
      }
      if (options.found !== true) gate.allowDial(connection.remotePeer.toString());
      metrics.dials.add(1, { result: "ok" });
      return connection;
    } catch (error) {
      metrics.dials.add(1, { result: "failed" });
      throw toPeerError(error, what, options.signal);
    }
  }

  /** Resolves when the last connection to the peer has ended, or the signal aborts. */
  async disconnected(peerId: string, signal: AbortSignal): Promise<void> {
    const { libp2p } = this.#components;
    const isOpen = (): boolean =>
      libp2p.getConnections().some(connection => connection.remotePeer.toString() === peerId);
    if (!isOpen() || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const onAbort = (): void => resolve();
    const onDisconnect = (event: { readonly detail: { toString(): string } }): void => {
      if (event.detail.toString() === peerId) resolve();
    };
    libp2p.addEventListener("peer:disconnect", onDisconnect);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      libp2p.removeEventListener("peer:disconnect", onDisconnect);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** PeerIds in an address, in order. */
function idsOf(address: Multiaddr): string[] {
  return address
    .getComponents()
    .flatMap(({ name, value }) => (name === "p2p" && value !== undefined ? [value] : []));
}

/** PeerId at the end of the addresses, where they have one: after a relay's that of the peer behind it. */
function idOf(addresses: readonly Multiaddr[]): string | undefined {
  const last = addresses[0]?.getComponents().findLast(({ name }) => name === "p2p" || name === "p2p-circuit");
  return last?.name === "p2p" ? last.value : undefined;
}

function dialTarget(target: string, addresses: Multiaddr[]): Parameters<Libp2p["dial"]>[0] {
  if (target.startsWith("/")) return addresses;
  try {
    const peerId = peerIdFromString(target);
    if (addresses.length === 0) return peerId;
    return addresses.map(address =>
      idOf([address]) === undefined ? address.encapsulate(multiaddr(`/p2p/${target}`)) : address,
    );
  } catch (cause) {
    throw new CidcastError("INVALID_REQUEST", `"${target}" is neither a PeerId nor a multiaddr`, { cause });
  }
}
