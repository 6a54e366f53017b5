import type { Connection } from "@libp2p/interface";
import { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError, messageOf, withTimeout } from "../core/index.ts";
import type { PeerParts } from "./net/assemble.ts";
import { DEFAULT_PEER_LIMITS, NEGOTIATION_TIMEOUT_MS, type PeerLimits } from "./limits.ts";
import { type PeerMetrics, peerMetrics } from "./metrics.ts";
import type { Reachability } from "./nat/index.ts";
import { ConnectionGate, type DialPolicy, parseMultiaddr, toPeerError } from "./net/index.ts";
import { DEFAULT_ROLE, type RoleName, ROLES } from "./net/roles.ts";
import type { Routing } from "./routing/index.ts";
import type { RunningPeer } from "./run.ts";
import { type Reputation, Reputations } from "./reputation/index.ts";
import { ProtocolRegistry, type PeerStream, peerStream } from "./streams/index.ts";
import type {
  ConnectOptions,
  FetchBlockOptions,
  NetworkInit,
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
  #running: RunningPeer | undefined;
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
      dials: dialPolicy(init.network ?? {}),
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
    const { exchange, routing } = this.#running ?? {};
    return (exchange?.peers().length ?? 0) > 0 || routing?.canFind === true;
  }

  get routing(): Routing {
    return this.#parts().routing;
  }

  reachability(): Reachability {
    return this.#parts().reachability.get();
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
    await running?.[Symbol.asyncDispose]();
    await this.#reputation.stop();
    this.#countConnections();
  }

  async startDiscovery(): Promise<void> {
    const { keeper, startDiscovery } = this.#parts();
    for (const address of this.#init.bootstrapPeers ?? []) {
      parseMultiaddr(address);
      keeper.add(address);
    }
    startDiscovery();
  }

  async connectToPeer(target: string, options: ConnectOptions = {}): Promise<PeerConnection> {
    return describe(await this.#parts().dialer.dial(target, options));
  }

  async disconnect(peerId: string, options: AbortOptions = {}): Promise<void> {
    const connections = this.#parts().libp2p.getConnections();
    const open = connections.filter(connection => connection.remotePeer.toString() === peerId);
    await Promise.all(open.map(connection => connection.close(signalOption(options))));
  }

  async newStream(peerId: string, protocol: string, options: ConnectOptions = {}): Promise<PeerStream> {
    const { dialer, handover } = this.#parts();
    const connection = await dialer.dial(peerId, options);
    const what = `Opening ${protocol} to ${peerId}`;
    try {
      return await withTimeout(
        NEGOTIATION_TIMEOUT_MS,
        what,
        async signal => {
          const stream = await connection.newStream(protocol, { signal, runOnLimitedConnection: true });
          handover.watch(stream, connection);
          return peerStream(stream, peerId);
        },
        options,
      );
    } catch (error) {
      throw toPeerError(error, what, options.signal);
    }
  }

  async ping(peerId: string, options: AbortOptions = {}): Promise<number> {
    const { libp2p, dialer } = this.#parts();
    const connection = await dialer.dial(peerId, options);
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
    const { log } = this.#components;
    this.#status = "starting";
    this.#disabledReason = undefined;
    try {
      await this.#reputation.start();
      const { runPeer } = await import("./run.ts");
      this.#running = await runPeer({
        init: this.#init,
        roleName: this.role,
        role: ROLES[this.role],
        limits: this.#limits,
        gate: this.#gate,
        metrics: this.#metrics,
        reputation: this.#reputation,
        components: this.#components,
        attach: async parts => {
          this.#listen(parts);
          await this.#protocols.attach(parts.libp2p);
        },
      });
    } catch (cause) {
      this.#protocols.detach();
      await this.#reputation.stop();
      this.#status = "disabled";
      this.#disabledReason = messageOf(cause);
      throw new CidcastError("FEATURE_DISABLED", `libp2p cannot start: ${messageOf(cause)}`, { cause });
    }
    this.#status = "started";
    for (const address of this.#init.connect ?? []) this.#running.keeper.add(address);
    log.info({ peer: this.id, addresses: this.multiaddrs }, "peer is listening");
  }

  /** Ends the connections of a peer that was banned. */
  #leave(peerId: string): void {
    for (const connection of this.#running?.libp2p.getConnections() ?? []) {
      if (connection.remotePeer.toString() === peerId) connection.abort(new Error("the peer is banned"));
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

  #parts(): RunningPeer {
    if (this.#running !== undefined) return this.#running;
    const why = this.#disabledReason ?? "it is not started";
    throw new CidcastError("FEATURE_DISABLED", `libp2p is not available: ${why}`);
  }
}

/** Whoever is looked for may be found; nobody is looked for unless the owner asked for it. */
function dialPolicy({ dht, routers, autoNat, mdns, pubsub }: NetworkInit): DialPolicy {
  if (dht === "wan" || autoNat === true || (routers?.length ?? 0) > 0) return "public";
  if (dht === "lan" || mdns === true) return "local";
  // Announcements come through peers that the owner connected to.
  return pubsub === true ? "any" : "named";
}

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
    relayed: connection.remoteAddr.getComponents().some(({ name }) => name === "p2p-circuit"),
  };
}
