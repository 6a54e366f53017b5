import { CID } from "multiformats/cid";
import {
  anySignal,
  CidcastError,
  type Clock,
  isCidcastError,
  type Logger,
  messageOf,
  raceSignal,
  withTimeout,
} from "../../core/index.ts";
import { EXPECTED_PEER_MS, FETCH_FANOUT, MAX_BLOCK_BYTES, type PeerLimits } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import type { Reputation } from "../reputation/index.ts";
import { delay } from "../net/delay.ts";
import type { FetchBlockOptions, PeerBlockstore } from "../types.ts";
import { type Answer, AskRace } from "./ask-race.ts";
import type { BlockExchange } from "./exchange.ts";
import type { ProviderSearch } from "../routing/provider-search.ts";
import { membersOf } from "./members.ts";
import { isBlockOf, isVerifiable } from "./verify.ts";

export interface BlockFetcherComponents {
  readonly exchange: BlockExchange;
  /** True when a peer may be about to show up: a connection whose protocols are not known yet, a dial under way. */
  readonly expectsPeers: () => boolean;
  readonly blocks: PeerBlockstore;
  /** Brings providers among the connected peers; undefined: only who is connected is asked. */
  readonly search?: Pick<ProviderSearch, "canSearch" | "connect">;
  readonly reputation: Reputation;
  readonly metrics: PeerMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often it is looked whether a new peer has told its protocols, milliseconds. */
const NEW_PEER_POLL_MS = 20;

interface Flight {
  readonly result: Promise<Uint8Array>;
  waiting: number;
}

/**
 * Fetches blocks from connected peers, each once at a time. A fetch goes on when its callers give up: the peer sends
 * the block anyway, and would not send it again at once; what comes then is kept.
 */
export class BlockFetcher {
  readonly #limits: PeerLimits;
  readonly #components: BlockFetcherComponents;
  readonly #flights = new Map<string, Flight>();
  readonly #stop = new AbortController();

  constructor(limits: PeerLimits, components: BlockFetcherComponents) {
    this.#limits = limits;
    this.#components = components;
  }

  /** Ends all fetches. */
  stop(): void {
    this.#stop.abort(new CidcastError("SHUTTING_DOWN", "The peer is stopping"));
  }

  /** The verified block. `CONTENT_NOT_FOUND` when no connected peer gave it in time. */
  async fetch(text: string, options: FetchBlockOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const cid = parseCid(text);
    const key = cid.toString();
    let flight = this.#flights.get(key);
    if (flight === undefined) {
      flight = { result: this.#run(cid, options.root ?? key), waiting: 0 };
      this.#flights.set(key, flight);
      flight.result.then(
        bytes => this.#landed(key, cid, bytes),
        () => this.#flights.delete(key),
      );
    }
    flight.waiting++;
    try {
      return await raceSignal(flight.result, options.signal);
    } finally {
      flight.waiting--;
    }
  }

  #landed(key: string, cid: CID, bytes: Uint8Array): void {
    const abandoned = this.#flights.get(key)?.waiting === 0;
    this.#flights.delete(key);
    if (!abandoned) return;
    this.#components.blocks.put(cid, bytes).catch((error: unknown) => {
      this.#components.log.debug({ cid: key, reason: messageOf(error) }, "late block was not kept");
    });
  }

  async #run(cid: CID, root: string): Promise<Uint8Array> {
    const { metrics, clock } = this.#components;
    const startedMs = clock.monotonicMs();
    try {
      const { bytes } = await withTimeout(
        this.#limits.fetchTimeoutMs,
        `Fetching ${cid.toString()}`,
        signal => this.#askPeers(cid, root, signal),
        { signal: this.#stop.signal },
      );
      metrics.blocksFetched.add(1, { result: "found" });
      metrics.bytesFetched.add(bytes.byteLength);
      metrics.fetchSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
      return bytes;
    } catch (error) {
      if (isCidcastError(error, "SHUTTING_DOWN")) throw error;
      const timedOut = isCidcastError(error, "TIMEOUT");
      metrics.blocksFetched.add(1, { result: timedOut ? "timeout" : "not_found" });
      const why = timedOut ? `within ${this.#limits.fetchTimeoutMs} ms` : "of those that answered";
      throw new CidcastError("CONTENT_NOT_FOUND", `No connected peer gave ${cid.toString()} ${why}`, {
        cause: error,
        details: { cid: cid.toString(), peers: this.#components.exchange.peers().length },
      });
    }
  }

  /** Asks connected peers, then, where that can be found out, those who say that they have it. */
  async #askPeers(cid: CID, root: string, signal: AbortSignal): Promise<Answer> {
    const { search, exchange } = this.#components;
    await this.#somebody(signal);
    const asked = exchange.peers();
    try {
      return await this.#askConnected(cid, { root, peers: asked, signal });
    } catch (error) {
      if (search?.canSearch !== true || signal.aborted) throw error;
    }
    const connected = await search.connect(root, signal);
    // What identify says of a new peer comes after its connection.
    if (connected > 0 && exchange.peers().length === 0) await exchange.hasPeer(signal);
    const others = await this.#newPeers(asked, connected, signal);
    return this.#askConnected(cid, { root, peers: others, signal });
  }

  /** Peers that were not asked before; waits a moment for those that are connected but have not told their protocols. */
  async #newPeers(
    asked: readonly string[],
    expected: number,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { exchange, clock } = this.#components;
    const before = new Set(asked);
    const untilMs = clock.monotonicMs() + EXPECTED_PEER_MS;
    for (;;) {
      const others = exchange.peers().filter(peerId => !before.has(peerId));
      if (others.length > 0 || expected === 0 || clock.monotonicMs() >= untilMs || signal.aborted)
        return others;
      await delay(clock, NEW_PEER_POLL_MS, signal);
    }
  }

  /** Asks the peer that served the root, and the others when it lacks the block or is slow. */
  async #askConnected(
    cid: CID,
    {
      root,
      peers,
      signal,
    }: { readonly root: string; readonly peers: readonly string[]; readonly signal: AbortSignal },
  ): Promise<Answer> {
    const { reputation } = this.#components;
    const everybody = reputation.rank(peers, root);
    const race = new AskRace(peerId => this.#ask({ peerId, cid, root }, signal, race.signal));
    const [first, ...others] = everybody;
    if (first !== undefined && reputation.waitMs(first) === 0 && reputation.hasServed(first, root)) {
      race.queue([first], 1);
      const hedge = this.#components.clock.after(this.#limits.hedgeMs, () =>
        race.queue(others, FETCH_FANOUT),
      );
      race.whenIdle(() => race.queue(others, FETCH_FANOUT));
      return race.result.finally(hedge);
    }
    race.queue(everybody, FETCH_FANOUT);
    return race.result;
  }

  /** Gives a peer that is just connecting a moment to become one that can be asked. */
  async #somebody(signal: AbortSignal): Promise<void> {
    const { exchange, expectsPeers, clock } = this.#components;
    if (exchange.peers().length > 0 || !expectsPeers()) return;
    const patience = new AbortController();
    const cancel = clock.after(EXPECTED_PEER_MS, () => patience.abort());
    await exchange.hasPeer(signalOf(signal, patience.signal));
    cancel();
  }

  async #ask(asked: Asked, signal: AbortSignal, raceOver: AbortSignal): Promise<Answer> {
    const { peerId, cid, root } = asked;
    const { exchange, reputation, metrics, clock, log } = this.#components;
    const startedMs = clock.monotonicMs();
    let bytes: Uint8Array;
    try {
      bytes = await exchange.ask(peerId, cid, signalOf(signal, raceOver));
    } catch (error) {
      // Who was beaten by another has done nothing wrong, and who answers that it lacks a block neither.
      if (!raceOver.aborted && !this.#stop.signal.aborted) {
        const isSilent = signal.aborted || !exchange.peers().includes(peerId);
        reputation.note(peerId, { result: isSilent ? "failed" : "lacks" });
      }
      throw error;
    }
    if (bytes.byteLength > MAX_BLOCK_BYTES || !isBlockOf(cid, bytes)) {
      log.warn({ peer: peerId, cid: cid.toString() }, "peer sent a wrong block");
      metrics.blocksFetched.add(1, { result: "corrupt" });
      reputation.note(peerId, { result: "bad" });
      throw new CidcastError("CORRUPT_BLOCK", `${peerId} sent bytes that are not ${cid.toString()}`);
    }
    const latencyMs = clock.monotonicMs() - startedMs;
    reputation.note(peerId, {
      result: "ok",
      latencyMs,
      bytes: bytes.byteLength,
      durationMs: latencyMs,
      about: root,
    });
    reputation.relate(cid.toString(), membersOf(cid, bytes));
    return { bytes, peerId };
  }
}

/** One peer asked for one block of something. */
interface Asked {
  readonly peerId: string;
  readonly cid: CID;
  readonly root: string;
}

function signalOf(one: AbortSignal, other: AbortSignal): AbortSignal {
  return anySignal(one, other) ?? one;
}

function parseCid(text: string): CID {
  let cid: CID;
  try {
    cid = CID.parse(text);
  } catch (cause) {
    throw new CidcastError("INVALID_CID", `"${text}" is not a CID`, { cause });
  }
  if (isVerifiable(cid)) return cid;
  throw new CidcastError("UNSUPPORTED_DAG", `${text} uses a hash function that is not verified here`);
}
