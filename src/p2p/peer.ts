import type { Connection } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError, messageOf, withTimeout } from "../core/index.ts";
import type { PeerParts } from "./net/assemble.ts";
import { BlockFetcher } from "./bitswap/index.ts";
import { DEFAULT_PEER_LIMITS, NEGOTIATION_TIMEOUT_MS, type PeerLimits } from "./limits.ts";
import { type PeerMetrics, peerMetrics } from "./metrics.ts";
import { ConnectionGate, KeepConnected, parseMultiaddr, toPeerError } from "./net/index.ts";
import { DEFAULT_ROLE, type RoleName, ROLES } from "./net/roles.ts";
import { type Reputation, Reputations } from "./reputation/index.ts";
import { ProtocolRegistry, type PeerStream, peerStream } from "./streams/index.ts";
import type {
  ConnectOptions,
  FetchBlockOptions,
  Peer,
  PeerComponents,
  PeerConnection,
  PeerInit,
  PeerStatus,
} from "./types.ts";

/** Makes the node's libp2p peer; nothing is opened before `start()`. */
export function createPeer(init: PeerInit = {}): (components: PeerComponents) => Peer {
  return components => new PeerService(init, components);
}

/** What runs between a start and a stop. */
interface Running extends PeerParts {
  readonly fetcher: BlockFetcher;
  readonly keeper: KeepConnected;
}

class PeerService implements Peer {
  readonly name = "p2p";
  readonly role: RoleName;
  readonly #init: PeerInit;
  readonly #components: PeerComponents;
  readonly #limits: PeerLimits;
  readonly #metrics: PeerMetrics;
  readonly #gate: ConnectionGate;
  readonly #reputation: Reputations;
  readonly registerProtocolHandler: Peer["registerProtocolHandler"];
  readonly #protocols: ProtocolRegistry;
  #running: Running | undefined;
  #status: PeerStatus = "stopped";
  #disabledReason: string | undefined;
  #starting: Promise<void> | undefined;

  constructor(init: PeerInit, components: PeerComponents) {
    this.#init = init;
    this.#components = components;
    this.role = init.role ?? DEFAULT_ROLE;
    const { maxConnections } = ROLES[this.role];
    this.#limits = { ...DEFAULT_PEER_LIMITS, maxConnections, ...init.limits };
    this.#metrics = peerMetrics(components.metrics);
    this.#protocols = new ProtocolRegistry(components.log, this.#metrics);
    this.registerProtocolHandler = this.#protocols.register.bind(this.#protocols);
    this.#reputation = new Reputations({
      ...components,
      metrics: this.#metrics,
      onBan: peerId => this.#leave(peerId),
    });
    this.#gate = new ConnectionGate(this.#limits, {
      clock: components.clock,
      metrics: this.#metrics,
      isBanned: peerId => this.#reputation.isBanned(peerId),
      openConnections: () => this.#running?.libp2p.getConnections().length ?? 0,
    });
  }

  get status(): PeerStatus {
    return this.#status;
  }

  get disabledReason(): string | undefined {
    return this.#disabledReason;
  }

  get id(): string {
    return this.#parts().libp2p.peerId.toString();
  }

  get multiaddrs(): readonly string[] {
    return this.#parts().libp2p.getMultiaddrs().map(String);
  }

  get reputation(): Reputation {
    return this.#reputation;
  }

  get protocols(): readonly string[] {
    return this.#parts().libp2p.getProtocols();
  }

  get hasPeers(): boolean {
    return (this.#running?.exchange.peers().length ?? 0) > 0;
  }

  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    this.#starting = undefined;
    const running = this.#running;
    this.#running = undefined;
    this.#status = "stopped";
    this.#protocols.detach();
    if (running === undefined) return;
    running.fetcher.stop();
    await running.keeper.stop();
    await running.exchange.stop();
    await running.libp2p.stop();
    await this.#reputation.stop();
    this.#countConnections();
  }

  async startDiscovery(): Promise<void> {
    const { keeper } = this.#parts();
    for (const address of this.#init.bootstrapPeers ?? []) {
      parseMultiaddr(address);
      keeper.add(address);
    }
  }

  async connectToPeer(target: string, options: ConnectOptions = {}): Promise<PeerConnection> {
    return describe(await this.#dial(target, options));
  }

  async disconnect(peerId: string, options: AbortOptions = {}): Promise<void> {
    const connections = this.#parts().libp2p.getConnections();
    const open = connections.filter(connection => connection.remotePeer.toString() === peerId);
    await Promise.all(open.map(connection => connection.close(signalOption(options))));
  }

  async newStream(peerId: string, protocol: string, options: ConnectOptions = {}): Promise<PeerStream> {
    const connection = await this.#dial(peerId, options);
    const what = `Opening ${protocol} to ${peerId}`;
    try {
      return await withTimeout(
        NEGOTIATION_TIMEOUT_MS,
        what,
        async signal => peerStream(await connection.newStream(protocol, { signal }), peerId),
        options,
      );
    } catch (error) {
      throw toPeerError(error, what, options.signal);
    }
  }

  async ping(peerId: string, options: AbortOptions = {}): Promise<number> {
    const { libp2p } = this.#parts();
    const connection = await this.#dial(peerId, options);
    try {
      return await withTimeout(
        this.#limits.dialTimeoutMs,
        `Pinging ${peerId}`,
        signal => libp2p.services.ping.ping(connection.remotePeer, { signal }),
        options,
      );
    } catch (error) {
      throw toPeerError(error, `Pinging ${peerId}`, options.signal);
    }
  }

  connections(): readonly PeerConnection[] {
    return (this.#running?.libp2p.getConnections() ?? []).map(describe);
  }

  async fetchBlock(cid: string, options: FetchBlockOptions = {}): Promise<Uint8Array> {
    return this.#parts().fetcher.fetch(cid, options);
  }

  async announceBlock(cid: string): Promise<void> {
    await this.#running?.exchange.announce(CID.parse(cid));
  }

  async #start(): Promise<void> {
    const { log, clock } = this.#components;
    this.#status = "starting";
    this.#disabledReason = undefined;
    let parts: PeerParts | undefined;
    try {
      for (const address of [...(this.#init.listen ?? []), ...(this.#init.connect ?? [])]) {
        parseMultiaddr(address);
      }
      const { assemble } = await import("./net/assemble.ts");
      parts = await assemble({
        init: this.#init,
        limits: this.#limits,
        gate: this.#gate,
        database: this.#components.database,
        blocks: this.#components.blocks,
        metrics: this.#metrics,
        log,
      });
      this.#listen(parts);
      await this.#reputation.start();
      await this.#protocols.attach(parts.libp2p);
      await parts.exchange.start();
      await parts.libp2p.start();
    } catch (cause) {
      await this.#discard(parts);
      this.#status = "disabled";
      this.#disabledReason = messageOf(cause);
      throw new CidcastError("FEATURE_DISABLED", `libp2p cannot start: ${messageOf(cause)}`, { cause });
    }
    const { blocks } = this.#components;
    const { exchange, libp2p } = parts;
    const fetcher = new BlockFetcher(this.#limits, {
      exchange,
      expectsPeers: () => keeper.size > 0 || libp2p.getConnections().length > 0,
      blocks,
      reputation: this.#reputation,
      metrics: this.#metrics,
      clock,
      log,
    });
    const keeper = new KeepConnected({
      dial: async (address, signal) => (await this.#dial(address, { signal })).remotePeer.toString(),
      disconnected: (peerId, signal) => this.#disconnected(peerId, signal),
      clock,
      log,
    });
    this.#running = { ...parts, fetcher, keeper };
    this.#status = "started";
    for (const address of this.#init.connect ?? []) keeper.add(address);
    log.info({ peer: this.id, addresses: this.multiaddrs }, "peer is listening");
  }

  /** Ends the connections of a peer that was banned. */
  #leave(peerId: string): void {
    for (const connection of this.#running?.libp2p.getConnections() ?? []) {
      if (connection.remotePeer.toString() === peerId) connection.abort(new Error("the peer is banned"));
    }
  }

  /** Frees what a failed start has opened. */
  async #discard(parts: PeerParts | undefined): Promise<void> {
    this.#protocols.detach();
    try {
      await parts?.exchange.stop();
      await parts?.libp2p.stop();
      await this.#reputation.stop();
    } catch (error) {
      this.#components.log.debug({ err: error }, "peer did not stop cleanly");
    }
  }

  #listen({ libp2p }: PeerParts): void {
    const { events } = this.#components;
    libp2p.addEventListener("connection:open", () => this.#countConnections());
    libp2p.addEventListener("connection:close", () => this.#countConnections());
    libp2p.addEventListener("peer:connect", event => {
      const connection = libp2p.getConnections(event.detail)[0];
      if (connection === undefined) return;
      events.publish("peer_connected", {
        peerId: event.detail.toString(),
        address: connection.remoteAddr.toString(),
        direction: connection.direction,
      });
    });
    libp2p.addEventListener("peer:disconnect", event => {
      events.publish("peer_disconnected", { peerId: event.detail.toString() });
    });
  }

  #countConnections(): void {
    const open = this.#running?.libp2p.getConnections() ?? [];
    for (const direction of ["inbound", "outbound"] as const) {
      const count = open.filter(connection => connection.direction === direction).length;
      this.#metrics.connections.set(count, { direction });
    }
  }

  async #dial(target: string, options: ConnectOptions): Promise<Connection> {
    const { libp2p } = this.#parts();
    const what = `Dialling ${target}`;
    const isAddress = target.startsWith("/");
    const addresses = (isAddress ? [target] : (options.addresses ?? [])).map(parseMultiaddr);
    const peerId = isAddress ? idOf(addresses) : target;
    const open = libp2p.getConnections().find(connection => connection.remotePeer.toString() === peerId);
    if (open !== undefined && open.status === "open") return open;
    if (peerId !== undefined) this.#gate.allowDial(peerId);
    try {
      const connection = await withTimeout(
        this.#limits.dialTimeoutMs,
        what,
        async signal => libp2p.dial(await dialTarget(target, addresses), { signal }),
        options,
      );
      if (peerId !== undefined && connection.remotePeer.toString() !== peerId) {
        connection.abort(new Error("another peer answered"));
        throw new CidcastError("PEER_UNREACHABLE", `${what}: another peer answered`);
      }
      this.#gate.allowDial(connection.remotePeer.toString());
      this.#metrics.dials.add(1, { result: "ok" });
      return connection;
    } catch (error) {
      this.#metrics.dials.add(1, { result: "failed" });
      throw toPeerError(error, what, options.signal);
    }
  }

  /** Resolves when the last connection to the peer has ended, or the signal aborts. */
  async #disconnected(peerId: string, signal: AbortSignal): Promise<void> {
    const { libp2p } = this.#parts();
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

  #parts(): Running {
    if (this.#running !== undefined) return this.#running;
    const why = this.#disabledReason ?? "it is not started";
    throw new CidcastError("FEATURE_DISABLED", `libp2p is not available: ${why}`);
  }
}

/** PeerId at the end of the addresses, where they have one: after a relay's that of the peer behind it. */
function idOf(addresses: readonly Multiaddr[]): string | undefined {
  return addresses[0]?.getComponents().findLast(component => component.name === "p2p")?.value;
}

async function dialTarget(target: string, addresses: Multiaddr[]): Promise<DialTarget> {
  if (target.startsWith("/")) return addresses;
  const { peerIdFromString } = await import("@libp2p/peer-id");
  try {
    const peerId = peerIdFromString(target);
    if (addresses.length === 0) return peerId;
    const { multiaddr } = await import("@multiformats/multiaddr");
    return addresses.map(address =>
      idOf([address]) === undefined ? address.encapsulate(multiaddr(`/p2p/${target}`)) : address,
    );
  } catch (cause) {
    throw new CidcastError("INVALID_REQUEST", `"${target}" is neither a PeerId nor a multiaddr`, { cause });
  }
}

type DialTarget = Parameters<PeerParts["libp2p"]["dial"]>[0];

function signalOption(options: AbortOptions): { signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal };
}

function describe(connection: Connection): PeerConnection {
  return {
    id: connection.id,
    peerId: connection.remotePeer.toString(),
    address: connection.remoteAddr.toString(),
    direction: connection.direction,
    encryption: connection.encryption,
    muxer: connection.multiplexer,
    openedAtMs: connection.timeline.open,
    streams: connection.streams.length,
  };
}
