import { randomUUID } from "node:crypto";
import {
  type Cancel,
  CidcastError,
  type Clock,
  type Logger,
  type Metrics,
  type Unsubscribe,
} from "../../core/index.ts";
import {
  FLUSH_MS,
  MAX_EVENT_BYTES,
  MAX_UNCOMMITTED,
  MAX_RING_BYTES,
  MAX_RING_EVENTS,
  PAGE_BYTES,
  PAGE_EVENTS,
} from "../limits.ts";
import { notifyMetrics } from "../metrics.ts";
import type { EmitOptions, LogEvent, Lost } from "../types.ts";
import { Ring, type RingEntry } from "./ring.ts";

/** The offset of the first event of all: 0 stands for "nothing seen". */
export const FIRST_OFFSET = 1;
/** Events read back into memory when a log is opened again, for history. */
const PRELOADED = 1000;

/** Where events are kept beyond the life of the process. Synchronous: what was told to anybody is kept before. */
export interface EventStore {
  /** Names the numbering: offsets of another epoch mean nothing here. */
  readonly epoch: string;
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** Keeps events, in order. Throws `STORAGE_FAILED`. */
  append(events: readonly LogEvent[]): void;
  /** Events from `offset` on, at most that many and about that many bytes. */
  read(offset: number, limits: ReadLimits): LogEvent[];
  close(): void;
}

export interface ReadLimits {
  readonly maxEvents?: number;
  readonly maxBytes?: number;
}

export interface EventLogInit {
  readonly maxEvents?: number;
  readonly maxBytes?: number;
}

export interface EventLogComponents {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly store?: EventStore | undefined;
}

/** Events that were read, and those that are no longer to be had. */
export interface Page {
  readonly entries: readonly RingEntry[];
  readonly lost: Lost | undefined;
  /** Where to read on. */
  readonly nextOffset: number;
}

/** `before`: the last moment of an epoch. `renumbered`: offsets of the old epoch mean nothing in the new one's log. */
export type EpochListener = (phase: "before" | "after", renumbered: boolean) => void;

/** An append-only sequence of events. */
export interface EventLog extends Disposable {
  readonly epoch: string;
  /** Oldest event that can still be read. */
  readonly firstOffset: number;
  /** Offset that the next event gets. */
  readonly nextOffset: number;
  /** Adds an event. `PAYLOAD_TOO_LARGE` when its text is too long. */
  append(topic: string, data: Readonly<Record<string, unknown>>, options?: EmitOptions): LogEvent;
  /** Keeps what was appended. Called before anything is handed out; a failing store is left and a new epoch begins. */
  commit(): void;
  /** Events from `offset` on. */
  read(offset: number, limits?: ReadLimits): Page;
  /** The last events that `accept` takes, oldest first, from memory. */
  recent(limit: number, accept: (event: LogEvent) => boolean): LogEvent[];
  /** Undefined when everything after `offset` of `epoch` can be read; else why not. */
  gapAfter(epoch: string, offset: number): string | undefined;
  onAppend(listener: (entry: RingEntry) => void): Unsubscribe;
  /** Hears that an epoch ends and that the next has begun. */
  onEpoch(listener: EpochListener): Unsubscribe;
  close(): void;
}

/** Opens a log: in memory alone, or before a store. */
export function createEventLog(init: EventLogInit = {}): (components: EventLogComponents) => EventLog {
  return components => {
    const { clock, log } = components;
    const metrics = notifyMetrics(components.metrics);
    let store = components.store;
    let epoch = store?.epoch ?? randomUUID();
    let pending: LogEvent[] = [];
    let due: Cancel | undefined;
    const ring = new Ring({
      maxEvents: init.maxEvents ?? MAX_RING_EVENTS,
      maxBytes: init.maxBytes ?? MAX_RING_BYTES,
      nextOffset: recentFrom(store),
    });
    if (store !== undefined) preload(ring, store);
    const listeners = new Set<(entry: RingEntry) => void>();
    const epochListeners = new Set<EpochListener>();

    const firstOffset = (): number => Math.min(store?.firstOffset ?? ring.firstOffset, ring.firstOffset);

    const commit = (): void => {
      due?.();
      due = undefined;
      if (store === undefined || pending.length === 0) return;
      const batch = pending;
      pending = [];
      try {
        store.append(batch);
      } catch (err) {
        log.error({ err }, "the event log on disk failed: going on in memory, in a new epoch");
        metrics.storeErrors.add();
        leaveStore();
      }
    };

    const leaveStore = (): void => {
      try {
        store?.close();
      } catch (err) {
        log.debug({ err }, "the failed event log did not close");
      }
      store = undefined;
      for (const listener of epochListeners) listener("before", false);
      epoch = randomUUID();
      for (const listener of epochListeners) listener("after", false);
    };

    const readStore = (offset: number, limits: ReadLimits): RingEntry[] => {
      try {
        return (store?.read(offset, limits) ?? []).map(event => ({ event, bytes: 0 }));
      } catch (err) {
        log.error({ err }, "the event log on disk cannot be read: going on in memory, in a new epoch");
        metrics.storeErrors.add();
        leaveStore();
        return [];
      }
    };

    const readRing = (offset: number, limits: ReadLimits): RingEntry[] => {
      const entries: RingEntry[] = [];
      const maxEvents = limits.maxEvents ?? PAGE_EVENTS;
      const maxBytes = limits.maxBytes ?? PAGE_BYTES;
      let bytes = 0;
      for (let at = offset; entries.length < maxEvents && bytes < maxBytes; at += 1) {
        const entry = ring.at(at);
        if (entry === undefined) break;
        entries.push(entry);
        bytes += entry.bytes;
      }
      return entries;
    };

    return {
      get epoch() {
        return epoch;
      },
      get firstOffset() {
        return firstOffset();
      },
      get nextOffset() {
        return ring.nextOffset;
      },
      append(topic, data, options = {}) {
        const bytes = eventBytes(topic, data);
        const event: LogEvent = { offset: ring.nextOffset, topic, data, atMs: clock.now(), ...options };
        const entry: RingEntry = { event, bytes };
        ring.push(entry);
        if (store !== undefined) {
          pending.push(event);
          if (pending.length >= MAX_UNCOMMITTED) commit();
          else due ??= clock.after(FLUSH_MS, commit);
        }
        metrics.emitted.add();
        for (const listener of listeners) listener(entry);
        return event;
      },
      commit,
      read(offset, limits = {}) {
        commit();
        let from = Math.max(offset, firstOffset());
        let entries = from < ring.firstOffset ? readStore(from, limits) : [];
        if (entries.length === 0) {
          // Nothing on disk, or no longer: memory begins later.
          from = Math.max(from, ring.firstOffset);
          entries = readRing(from, limits);
        }
        const lost = from > offset ? { fromOffset: offset, toOffset: from - 1 } : undefined;
        return { entries, lost, nextOffset: from + entries.length };
      },
      recent(limit, accept) {
        const found: LogEvent[] = [];
        for (let at = ring.nextOffset - 1; at >= ring.firstOffset && found.length < limit; at -= 1) {
          const entry = ring.at(at);
          if (entry !== undefined && accept(entry.event)) found.push(entry.event);
        }
        return found.toReversed();
      },
      gapAfter(askedEpoch, offset) {
        if (askedEpoch !== epoch) return "the log has been started anew";
        if (offset >= ring.nextOffset) return "the log has not come that far";
        if (offset + 1 < firstOffset()) return "the events after it are no longer kept";
        return undefined;
      },
      onAppend: listener => added(listeners, listener),
      onEpoch: listener => added(epochListeners, listener),
      close() {
        commit();
        store?.close();
        store = undefined;
      },
      [Symbol.dispose]() {
        this.close();
      },
    };
  };
}

/** What an event counts for. `PAYLOAD_TOO_LARGE` when it is too large. */
export function eventBytes(topic: string, data: Readonly<Record<string, unknown>>): number {
  const bytes = topic.length + JSON.stringify(data).length;
  if (bytes <= MAX_EVENT_BYTES) return bytes;
  throw new CidcastError(
    "PAYLOAD_TOO_LARGE",
    `An event of ${bytes} bytes; at most ${MAX_EVENT_BYTES} are taken`,
  );
}

function recentFrom(store: EventStore | undefined): number {
  if (store === undefined) return FIRST_OFFSET;
  return Math.max(store.firstOffset, store.nextOffset - PRELOADED);
}

function preload(ring: Ring, store: EventStore): void {
  while (ring.nextOffset < store.nextOffset) {
    const events = store.read(ring.nextOffset, {});
    if (events.length === 0) throw new CidcastError("STORAGE_FAILED", "The event log on disk has a hole");
    for (const event of events) ring.push({ event, bytes: JSON.stringify(event.data).length });
  }
}

function added<T>(set: Set<T>, item: T): Unsubscribe {
  set.add(item);
  return () => {
    set.delete(item);
  };
}
