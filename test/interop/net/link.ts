import type { Clock } from "../../../src/core/index.ts";

/** One direction of a path, as it is at a time. What is not named is perfect. */
export interface LinkSettings {
  /** What passes per second, bits; default: any. */
  readonly rateBps?: number;
  /** Most that may wait for that rate, ms; the rest is dropped. */
  readonly queueMs?: number;
  readonly delayMs?: number;
  /** Further delay of each packet, from none to this; order is kept. */
  readonly jitterMs?: number;
  /** Share of packets lost, each by itself. */
  readonly loss?: number;
  /** Losses in bursts: chance of a burst at each packet, and of its end. Within one all is lost. */
  readonly burst?: { readonly begin: number; readonly end: number };
  /** Share of packets that arrive a few ms late, behind later ones. */
  readonly reorder?: number;
  /** Other traffic of the same bottleneck, bits per second. */
  readonly crossBps?: number;
  /** Nothing passes. */
  readonly blocked?: boolean;
}

const DEFAULT_QUEUE_MS = 300;
const REORDER_MS = 8;
/** IP and UDP headers, bytes. */
const OVERHEAD_BYTES = 28;

export interface LinkCounts {
  passed: number;
  lost: number;
  /** Dropped because the queue was full. */
  overflowed: number;
}

export interface LinkInit<T> {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly deliver: (packet: T) => void;
}

interface Travelling<T> {
  readonly atMs: number;
  readonly packet: T;
}

/** A bottleneck with a queue, delay and loss. Time comes from a clock, chance from a generator: both may be a test's own. */
export class Link<T> {
  readonly counts: LinkCounts = { passed: 0, lost: 0, overflowed: 0 };
  /** How long each packet waited for the bottleneck, ms. */
  readonly waits: number[] = [];
  readonly #init: LinkInit<T>;
  #settings: LinkSettings = {};
  #freeMs = 0;
  #lastMs = 0;
  #inBurst = false;
  #travelling: Travelling<T>[] = [];
  #dueMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(init: LinkInit<T>) {
    this.#init = init;
  }

  /** What the path is like from now on. */
  set(settings: LinkSettings): void {
    this.#settings = settings;
    if (settings.rateBps === undefined) this.#freeMs = 0;
  }

  push(packet: T, bytes: number): void {
    const now = this.#init.clock.monotonicMs();
    if (this.#isLost()) {
      this.counts.lost++;
      return;
    }
    const waitMs = Math.max(0, this.#freeMs - now);
    if (waitMs > (this.#settings.queueMs ?? DEFAULT_QUEUE_MS)) {
      this.counts.overflowed++;
      return;
    }
    this.waits.push(waitMs);
    const sentMs = this.#send(now + waitMs, bytes);
    const { delayMs = 0, jitterMs = 0, reorder = 0 } = this.#settings;
    let atMs = sentMs + delayMs + jitterMs * this.#init.random();
    if (reorder > 0 && this.#init.random() < reorder) atMs += REORDER_MS;
    else this.#lastMs = atMs = Math.max(atMs, this.#lastMs);
    this.#travel({ atMs, packet });
  }

  close(): void {
    this.#cancel?.();
    this.#travelling = [];
  }

  #isLost(): boolean {
    const { loss = 0, burst, blocked = false } = this.#settings;
    const { random } = this.#init;
    if (burst !== undefined) this.#inBurst = this.#inBurst ? random() >= burst.end : random() < burst.begin;
    return blocked || (burst !== undefined && this.#inBurst) || (loss > 0 && random() < loss);
  }

  /** When a packet has left the bottleneck that begins to send it at `startMs`. */
  #send(startMs: number, bytes: number): number {
    const { rateBps, crossBps = 0 } = this.#settings;
    if (rateBps === undefined) return startMs;
    // Others take their share of each moment.
    const ownBps = Math.max(1000, rateBps - crossBps);
    this.#freeMs = startMs + ((bytes + OVERHEAD_BYTES) * 8000) / ownBps;
    return this.#freeMs;
  }

  #travel(entry: Travelling<T>): void {
    let at = this.#travelling.length;
    while (at > 0 && (this.#travelling[at - 1]?.atMs ?? 0) > entry.atMs) at--;
    this.#travelling.splice(at, 0, entry);
    this.#arrive();
  }

  #arrive(): void {
    const now = this.#init.clock.monotonicMs();
    let count = 0;
    while ((this.#travelling[count]?.atMs ?? Number.POSITIVE_INFINITY) <= now) count++;
    for (const { packet } of this.#travelling.splice(0, count)) {
      this.counts.passed++;
      this.#init.deliver(packet);
    }
    const next = this.#travelling[0]?.atMs;
    if (next === undefined || (this.#cancel !== undefined && this.#dueMs <= next)) return;
    this.#cancel?.();
    this.#dueMs = next;
    this.#cancel = this.#init.clock.after(Math.max(0, next - now), () => {
      this.#cancel = undefined;
      this.#arrive();
    });
  }
}

/** Numbers in [0, 1) that are the same in each run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
