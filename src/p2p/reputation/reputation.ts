import type { Clock, EventPublisher, Logger } from "../../core/index.ts";
import type { PeerDatabase } from "../identity/migrations.ts";
import { MAX_KNOWN_PEERS, REPUTATION_WRITE_MS } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import { type Entry, faded, noted, scoreOf, STRANGER } from "./entry.ts";
import { Families } from "./families.ts";
import { ReputationStore } from "./store.ts";
import type { PeerFacts, PeerOutcome, Reputation, ReputationEvents } from "./types.ts";

export interface ReputationComponents {
  /** Without it, what is learnt lasts as long as the process. */
  readonly database?: PeerDatabase | undefined;
  readonly events: EventPublisher<ReputationEvents>;
  /** Told when a peer is banned. */
  readonly onBan?: (peerId: string) => void;
  readonly metrics: PeerMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Reputations of peers: kept over restarts, fading with time. Peers are strangers until they were asked for something. */
export class Reputations implements Reputation {
  readonly #components: ReputationComponents;
  readonly #store: ReputationStore | undefined;
  /** The longest unused first. */
  readonly #entries = new Map<string, Entry>();
  readonly #families = new Families();
  readonly #familiesServed = new WeakMap<
    readonly string[],
    { readonly version: number; readonly family: ReadonlySet<string> }
  >();
  readonly #dirty = new Set<string>();
  #dropped: string[] = [];
  #related: (readonly [string, string])[] = [];
  #cancel: (() => void) | undefined;

  constructor(components: ReputationComponents) {
    this.#components = components;
    const { database, log } = components;
    this.#store = database === undefined ? undefined : new ReputationStore(database, log);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Reads what is known; from then on changes are written every few seconds. */
  async start(): Promise<void> {
    if (this.#store === undefined) return;
    for (const [peerId, entry] of await this.#store.entries()) {
      if (!this.#entries.has(peerId)) this.#entries.set(peerId, entry);
    }
    for (const [member, parent] of await this.#store.families()) this.#families.relate(parent, [member]);
    this.#cancel ??= this.#components.clock.every(REPUTATION_WRITE_MS, () => this.#write());
  }

  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#write();
    await this.#store?.flush();
  }

  score(peerId: string, about?: string): number {
    return scoreOf(this.#entry(peerId), about !== undefined && this.hasServed(peerId, about));
  }

  hasServed(peerId: string, about: string): boolean {
    const served = this.#entries.get(peerId)?.served;
    if (served === undefined || served.length === 0) return false;
    const family = this.#familyOf(served);
    return this.#families.of(about).some(cid => family.has(cid));
  }

  rank(peerIds: readonly string[], about?: string): string[] {
    const scored = peerIds
      .filter(peerId => !this.isBanned(peerId))
      .map(peerId => ({ peerId, score: this.score(peerId, about), isBackedOff: this.waitMs(peerId) > 0 }));
    return scored
      .toSorted((a, b) => Number(a.isBackedOff) - Number(b.isBackedOff) || b.score - a.score)
      .map(({ peerId }) => peerId);
  }

  waitMs(peerId: string): number {
    const entry = this.#entries.get(peerId);
    if (entry === undefined) return 0;
    return Math.max(0, Math.max(entry.bannedUntilMs, entry.backoffUntilMs) - this.#components.clock.now());
  }

  isBanned(peerId: string): boolean {
    return (this.#entries.get(peerId)?.bannedUntilMs ?? 0) > this.#components.clock.now();
  }

  note(peerId: string, outcome: PeerOutcome): void {
    const { clock, events, metrics, log } = this.#components;
    const entry = noted(this.#entries.get(peerId) ?? STRANGER, outcome, clock.now());
    this.#entries.delete(peerId);
    this.#entries.set(peerId, entry);
    this.#dirty.add(peerId);
    metrics.outcomes.add(1, { result: outcome.result });
    this.#makeRoom();
    metrics.knownPeers.set(this.#entries.size);
    if (outcome.result !== "bad") return;
    metrics.bans.add();
    log.warn({ peer: peerId, untilMs: entry.bannedUntilMs }, "peer is banned for a bad block");
    events.publish("peer_banned", {
      peerId,
      untilMs: entry.bannedUntilMs,
      reason: "it sent a block that is not the one asked for",
    });
    // A restart must not lift it.
    this.#write();
    this.#components.onBan?.(peerId);
  }

  relate(parent: string, children: readonly string[]): void {
    for (const child of this.#families.relate(parent, children)) this.#related.push([child, parent]);
  }

  facts(peerId: string): PeerFacts | undefined {
    if (!this.#entries.has(peerId)) return undefined;
    const { clock } = this.#components;
    const entry = this.#entry(peerId);
    const { success, latencyMs, bytesPerSecond, bytesVerified, badBlocks, served, lastSeenMs } = entry;
    return {
      peerId,
      score: this.score(peerId),
      success,
      latencyMs,
      bytesPerSecond,
      bytesVerified,
      badBlocks,
      served: served.length,
      backoffUntilMs: entry.backoffUntilMs > clock.now() ? entry.backoffUntilMs : undefined,
      bannedUntilMs: entry.bannedUntilMs > clock.now() ? entry.bannedUntilMs : undefined,
      lastSeenMs,
    };
  }

  list(): PeerFacts[] {
    return [...this.#entries.keys()]
      .flatMap(peerId => this.facts(peerId) ?? [])
      .toSorted((a, b) => b.score - a.score);
  }

  #entry(peerId: string): Entry {
    return faded(this.#entries.get(peerId) ?? STRANGER, this.#components.clock.now());
  }

  #familyOf(served: readonly string[]): ReadonlySet<string> {
    const { version } = this.#families;
    const known = this.#familiesServed.get(served);
    if (known?.version === version) return known.family;
    const family = new Set(served.flatMap(cid => this.#families.of(cid)));
    this.#familiesServed.set(served, { version, family });
    return family;
  }

  /** Forgets the peer longest unused, a banned one only when there are no others: who makes up peers lifts no ban. */
  #makeRoom(): void {
    if (this.#entries.size <= MAX_KNOWN_PEERS) return;
    const keys = [...this.#entries.keys()];
    const oldest = keys.find(peerId => !this.isBanned(peerId)) ?? keys[0];
    if (oldest === undefined) return;
    this.#entries.delete(oldest);
    this.#dirty.delete(oldest);
    this.#dropped.push(oldest);
  }

  #write(): void {
    const entries = [...this.#dirty].flatMap(peerId => {
      const entry = this.#entries.get(peerId);
      return entry === undefined ? [] : [[peerId, entry] as const];
    });
    const [dropped, families] = [this.#dropped, this.#related];
    this.#dirty.clear();
    this.#dropped = [];
    this.#related = [];
    if (entries.length + dropped.length + families.length === 0) return;
    this.#store?.write({ entries, dropped, families }, this.#components.clock.now());
  }
}
