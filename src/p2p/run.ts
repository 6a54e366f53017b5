import type { Connection } from "@libp2p/interface";
import { stopAll } from "../core/index.ts";
import { BlockFetcher } from "./bitswap/index.ts";
import { Discovery } from "./discovery/discovery.ts";
import { FETCH_CONNECT_MS, type PeerLimits, REPROVIDE_INTERVAL_MS } from "./limits.ts";
import type { PeerMetrics } from "./metrics.ts";
import { HolePunch, ReachabilityWatch, Relays } from "./nat/index.ts";
import { assemble, type PeerParts } from "./net/assemble.ts";
import type { ConnectionGate } from "./net/connection-gate.ts";
import { Dialer } from "./net/dialer.ts";
import { Handover } from "./net/handover.ts";
import { KeepConnected } from "./net/keep-connected.ts";
import { parseMultiaddr } from "./net/peer-errors.ts";
import type { Role } from "./net/roles.ts";
import type { Reputation } from "./reputation/index.ts";
import { provideInDht } from "./routing/dht.ts";
import { Announcements, DelegatedRouters, PeerRouting, ProvideQueue, type PubSub } from "./routing/index.ts";
import { ProviderSearch } from "./routing/provider-search.ts";
import type { NetworkInit, PeerComponents, PeerInit } from "./types.ts";

export interface RunInit {
  readonly init: PeerInit;
  readonly roleName: string;
  readonly role: Role;
  readonly limits: PeerLimits;
  readonly gate: ConnectionGate;
  readonly metrics: PeerMetrics;
  readonly reputation: Reputation;
  readonly components: PeerComponents;
  /** Puts the handlers on the libp2p node before it starts. */
  readonly attach: (parts: PeerParts) => Promise<void>;
}

/** What runs between a start and a stop. */
export interface RunningPeer extends AsyncDisposable {
  readonly libp2p: PeerParts["libp2p"];
  readonly exchange: PeerParts["exchange"];
  readonly dialer: Dialer;
  readonly handover: Handover;
  readonly fetcher: BlockFetcher;
  readonly keeper: KeepConnected;
  readonly routing: PeerRouting;
  readonly reachability: ReachabilityWatch;
  startDiscovery(): void;
}

/** Puts together and starts what a peer is made of. Imported when a peer starts: a node whose libp2p cannot be loaded goes on without it. */
export async function runPeer(run: RunInit): Promise<RunningPeer> {
  const { init, components, limits, gate, metrics } = run;
  const { log, clock } = components;
  const network = init.network ?? {};
  for (const address of [...(init.listen ?? []), ...(init.connect ?? []), ...(network.relays ?? [])]) {
    parseMultiaddr(address);
  }
  const parts = await assemble({
    init,
    role: run.role,
    limits,
    gate,
    database: components.database,
    blocks: components.blocks,
    mayServe: components.mayServe,
    metrics,
    log,
  });
  const opened: { readonly name: string; start(): Promise<void>; stop(): Promise<void> }[] = [];
  const closing = (name: string, stop: () => Promise<void> | void): void => {
    opened.push({ name, start: async () => undefined, stop: async () => stop() });
  };
  try {
    const { libp2p, exchange } = parts;
    const dialer = new Dialer(limits, { libp2p, gate, metrics });
    const handover = new Handover({ libp2p, metrics, clock, log });
    closing("handover", () => handover.stop());
    closing("libp2p", async () => libp2p.stop());
    closing("exchange", () => exchange.stop());
    await run.attach(parts);
    const nat = joinNat(run, parts, dialer);
    closing("relays", () => nat.relays.stop());
    await exchange.start();
    await libp2p.start();
    if (network.holePunch === true) {
      await nat.punch.start();
      closing("hole-punch", () => nat.punch.stop());
    }
    for (const relay of network.relays ?? []) nat.relays.add(relay);
    const dialFound = (
      peerId: string,
      addresses: readonly string[],
      signal?: AbortSignal,
    ): Promise<Connection> =>
      dialer.dial(peerId, { addresses, found: true, ...(signal !== undefined && { signal }) });
    const discovery = new Discovery(
      { role: run.role, walks: network.dht !== undefined },
      { libp2p, dial: dialFound, isUnwanted: id => run.reputation.waitMs(id) > 0, metrics, clock, log },
    );
    closing("discovery", () => discovery.stop());
    const { routing, queue, announcements } = joinRouting(run, parts, discovery);
    announcements?.start();
    if (announcements !== undefined) closing("announcements", () => announcements.stop());
    queue?.start();
    libp2p.addEventListener("peer:identify", () => queue?.peerCame());
    if (queue !== undefined) closing("provide", () => queue.stop());
    const keeper = new KeepConnected({
      dial: async (address, signal) => (await dialer.dial(address, { signal })).remotePeer.toString(),
      disconnected: (peerId, signal) => dialer.disconnected(peerId, signal),
      clock,
      log,
    });
    closing("keeper", () => keeper.stop());
    const search = new ProviderSearch({
      routing,
      reputation: run.reputation,
      dial: (peerId, addresses, signal) =>
        dialFound(peerId, addresses, AbortSignal.any([signal, AbortSignal.timeout(FETCH_CONNECT_MS)])),
      clock,
      log,
    });
    const fetcher = new BlockFetcher(limits, {
      exchange,
      expectsPeers: () => keeper.size > 0 || libp2p.getConnections().length > 0,
      blocks: components.blocks,
      reputation: run.reputation,
      search,
      metrics,
      clock,
      log,
    });
    closing("fetcher", () => fetcher.stop());
    return {
      libp2p,
      exchange,
      dialer,
      handover,
      fetcher,
      keeper,
      routing,
      reachability: nat.reachability,
      startDiscovery: () => discovery.start(),
      [Symbol.asyncDispose]: () => stopAll(opened, log),
    };
  } catch (error) {
    await stopAll(opened, log);
    throw error;
  }
}

function joinNat(
  { init, components, gate, metrics }: RunInit,
  { libp2p, circuit, sharedPort }: PeerParts,
  dialer: Dialer,
): { readonly relays: Relays; readonly reachability: ReachabilityWatch; readonly punch: HolePunch } {
  const { log, clock } = components;
  const { internals } = libp2p.services;
  const relays = new Relays({
    transportManager: internals.transportManager,
    transport: circuit,
    dial: async (address, signal) => (await dialer.dial(address, { signal })).remotePeer,
    disconnected: (peerId, signal) => dialer.disconnected(peerId, signal),
    metrics,
    clock,
    log,
  });
  const made: { punch?: HolePunch } = {};
  const reachability = new ReachabilityWatch({
    ...internals,
    sharedPort,
    relays,
    punches: () => (init.network?.holePunch === true ? made.punch?.ended : undefined),
  });
  const punch = new HolePunch(
    {
      candidates: () => reachability.candidates(),
      asServer: (peerId, dial) => sharedPort?.asServer(peerId, dial) ?? dial(),
      allowDial: peerId => gate.allowDial(peerId),
      clock,
      metrics,
      log,
    },
    internals,
  );
  made.punch = punch;
  return { relays, reachability, punch };
}

function joinRouting(
  { init, roleName, components, metrics, reputation }: RunInit,
  { libp2p }: PeerParts,
  discovery: Discovery,
): {
  readonly routing: PeerRouting;
  readonly queue: ProvideQueue | undefined;
  readonly announcements: Announcements | undefined;
} {
  const network: NetworkInit = init.network ?? {};
  const { log, clock, events } = components;
  const hasDht = network.dht !== undefined;
  const pubsub = network.pubsub === true ? pubSubOf(libp2p.services.pubsub) : undefined;
  const announcements =
    pubsub === undefined
      ? undefined
      : new Announcements({
          pubsub,
          self: () => ({
            peerId: libp2p.peerId.toString(),
            addresses: libp2p.getMultiaddrs().map(String),
          }),
          role: roleName,
          protocols: () => libp2p.getProtocols(),
          isRelay: network.relayService !== undefined,
          onPeer: (peerId, addresses) => discovery.found(peerId, addresses),
          metrics,
          clock,
          log,
        });
  const queue =
    network.provide === false || (!hasDht && announcements === undefined)
      ? undefined
      : new ProvideQueue(
          { intervalMs: init.reprovideIntervalMs ?? REPROVIDE_INTERVAL_MS },
          {
            tell: async (cid, signal) => {
              announcements?.content(cid);
              if (!hasDht) return;
              await provideInDht(libp2p.services.dht, cid, signal);
            },
            roots: components.roots ?? noRoots,
            events,
            metrics,
            clock,
            log,
          },
        );
  const routers = new DelegatedRouters(network.routers ?? [], { log });
  const routing = new PeerRouting({
    libp2p,
    hasDht,
    routers,
    announcements,
    queue,
    reputation,
    metrics,
    log,
  });
  return { routing, queue, announcements };
}

async function* noRoots(): AsyncGenerator<string> {}

/** Gossipsub among the services, which are known by their names alone. */
function pubSubOf(service: unknown): PubSub | undefined {
  if (typeof service !== "object" || service === null || !("subscribe" in service)) return undefined;
  // It was made by gossipsub(), and has all of its methods.
  return service as PubSub;
}
