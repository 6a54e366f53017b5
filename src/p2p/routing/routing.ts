import type { Libp2p } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError, type Logger, messageOf } from "../../core/index.ts";
import { FIND_TIMEOUT_MS, MAX_FOUND_PROVIDERS } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import type { Reputation } from "../reputation/index.ts";
import type { Announcements } from "./announcements.ts";
import type { DelegatedRouters } from "./delegated.ts";
import { merged } from "./merged.ts";
import type { ProvideQueue } from "./provide-queue.ts";
import type { FindProvidersOptions, Provider, ProvideStatus, Routing } from "./types.ts";

export interface PeerRoutingComponents {
  readonly libp2p: Libp2p;
  readonly hasDht: boolean;
  readonly routers: DelegatedRouters;
  readonly announcements: Announcements | undefined;
  /** Undefined where there is nobody to tell. */
  readonly queue: ProvideQueue | undefined;
  readonly reputation: Reputation;
  readonly metrics: PeerMetrics;
  readonly log: Logger;
}

/** Content routing by whatever is configured: DHT, delegated routers, announcements. */
export class PeerRouting implements Routing {
  readonly #components: PeerRoutingComponents;

  constructor(components: PeerRoutingComponents) {
    this.#components = components;
  }

  get canFind(): boolean {
    const { hasDht, routers, announcements } = this.#components;
    return hasDht || routers.size > 0 || announcements !== undefined;
  }

  get provideStatus(): ProvideStatus {
    return (
      this.#components.queue?.status ?? {
        waiting: 0,
        provided: 0,
        failed: 0,
        backlog: undefined,
        lastRoundMs: undefined,
      }
    );
  }

  provide(cid: string): void {
    this.#components.queue?.add(cid);
  }

  async *findProviders(cid: string, options: FindProvidersOptions = {}): AsyncGenerator<Provider> {
    const { libp2p, announcements, routers, reputation, metrics } = this.#components;
    const { limit = MAX_FOUND_PROVIDERS } = options;
    const parsed = parseCid(cid);
    const over = new AbortController();
    const signal = AbortSignal.any([
      over.signal,
      AbortSignal.timeout(FIND_TIMEOUT_MS),
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    const told = announcements?.providers(cid) ?? [];
    const ways = [some(told), ...routers.findProviders(cid, signal), this.#fromDht(parsed, signal)];
    const seen = new Set([libp2p.peerId.toString()]);
    try {
      for await (const provider of merged(ways, signal)) {
        if (seen.has(provider.peerId) || reputation.isBanned(provider.peerId)) continue;
        seen.add(provider.peerId);
        metrics.providersFound.add(1, { origin: provider.origin });
        yield provider;
        if (seen.size > limit) return;
      }
    } finally {
      over.abort();
    }
    options.signal?.throwIfAborted();
  }

  async findPeer(peerId: string, options: AbortOptions = {}): Promise<readonly string[]> {
    const { libp2p, routers } = this.#components;
    const id = parsePeerId(peerId);
    const over = new AbortController();
    const signal = AbortSignal.any([
      over.signal,
      AbortSignal.timeout(FIND_TIMEOUT_MS),
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    try {
      const known = await libp2p.peerStore.get(id).catch(() => undefined);
      const addresses = known?.addresses.map(({ multiaddr }) => multiaddr.toString()) ?? [];
      if (addresses.length > 0) return addresses;
      for await (const found of merged(
        [...routers.findPeer(peerId, signal), this.#peerFromDht(id, signal)],
        signal,
      )) {
        if (found.peerId === peerId && found.addresses.length > 0) return found.addresses;
      }
    } finally {
      over.abort();
    }
    options.signal?.throwIfAborted();
    throw new CidcastError("PEER_UNREACHABLE", `Nobody knows an address of ${peerId}`);
  }

  async *#fromDht(cid: CID, signal: AbortSignal): AsyncGenerator<Provider> {
    const { libp2p, hasDht, log } = this.#components;
    if (!hasDht) return;
    try {
      for await (const { id, multiaddrs } of libp2p.contentRouting.findProviders(cid, { signal })) {
        yield { peerId: id.toString(), addresses: multiaddrs.map(String), origin: "dht" };
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ reason: messageOf(error) }, "the DHT gave no answer");
    }
  }

  async *#peerFromDht(
    id: ReturnType<typeof peerIdFromString>,
    signal: AbortSignal,
  ): AsyncGenerator<Provider> {
    const { libp2p, hasDht, log } = this.#components;
    if (!hasDht) return;
    try {
      const found = await libp2p.peerRouting.findPeer(id, { signal });
      yield { peerId: found.id.toString(), addresses: found.multiaddrs.map(String), origin: "dht" };
    } catch (error) {
      if (!signal.aborted) log.debug({ reason: messageOf(error) }, "the DHT gave no answer");
    }
  }
}

async function* some(providers: readonly Provider[]): AsyncGenerator<Provider> {
  yield* providers;
}

function parseCid(text: string): CID {
  try {
    return CID.parse(text);
  } catch (cause) {
    throw new CidcastError("INVALID_CID", `"${text.slice(0, 80)}" is not a CID`, { cause });
  }
}

function parsePeerId(text: string): ReturnType<typeof peerIdFromString> {
  try {
    return peerIdFromString(text);
  } catch (cause) {
    throw new CidcastError("INVALID_REQUEST", `"${text.slice(0, 80)}" is not a PeerId`, { cause });
  }
}
