import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import {
  CidcastError,
  type Clock,
  type Logger,
  type Metrics,
  messageOf,
  type Service,
} from "../../core/index.ts";
import { MAX_RING_BYTES, MAX_RING_EVENTS, PAGE_BYTES, PAGE_EVENTS } from "../limits.ts";
import {
  type EpochListener,
  type EventLog,
  eventBytes,
  FIRST_OFFSET,
  Ring,
  type RingEntry,
} from "../log/index.ts";
import { notifyMetrics } from "../metrics.ts";
import type { LogEvent } from "../types.ts";
import { firstAttempt, MAX_RETRY_MS, redisConnection } from "./connection.ts";
import { APPEND_SCRIPT, type Streamed, streamedSchema } from "./messages.ts";

/** Events kept in the stream, for nodes that were away and clients that change nodes. */
export const MAX_STREAM_EVENTS = 20_000;
/** Events read from the stream at once, and when a node joins. */
const READ_COUNT = 500;
const LOADED_EVENTS = 1000;
/** Events that wait for Redis to come back; the oldest are kept from the other nodes beyond. */
export const MAX_OUTBOX = 10_000;
/** Longest wait of one read of the stream, milliseconds. */
const BLOCK_MS = 1000;

export interface SharedLogInit {
  readonly url: string;
  /** Nodes with one prefix share one log. */
  readonly prefix?: string;
  readonly maxEvents?: number;
}

export interface SharedLogComponents {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/**
 * One log of several nodes in a Redis stream: one epoch and one numbering, so that a client resumes at any of them. While
 * Redis cannot be reached, the node's own events go on in an epoch of their own; the other nodes get them afterwards.
 */
export interface SharedLog extends EventLog, Service {
  readonly state: "connected" | "degraded";
  onState(listener: (state: "connected" | "degraded") => void): () => void;
}

export function createSharedLog(init: SharedLogInit): (components: SharedLogComponents) => SharedLog {
  return components => new RedisLog(init, components);
}

class RedisLog implements SharedLog {
  readonly name = "events-redis";
  readonly #init: SharedLogInit;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #metrics: ReturnType<typeof notifyMetrics>;
  readonly #node = randomUUID();
  readonly #keys: {
    readonly offset: string;
    readonly stream: string;
    readonly serials: string;
    readonly epoch: string;
  };
  readonly #writer: Redis;
  readonly #reader: Redis;
  readonly #listeners = new Set<(entry: RingEntry) => void>();
  readonly #epochListeners = new Set<EpochListener>();
  readonly #stateListeners = new Set<(state: "connected" | "degraded") => void>();
  /** Events that have not come back from the stream: one that Redis has taken may still die with it. */
  readonly #outbox = new Map<number, Streamed>();
  /** Those of them that local subscribers have had. */
  readonly #told = new Set<number>();
  #ring: Ring;
  #epoch: string = randomUUID();
  #serial = 0;
  #state: "connected" | "degraded" = "degraded";
  /** Whether the ring is numbered as the stream is. */
  #global = false;
  #running = false;
  #entering = false;

  constructor(init: SharedLogInit, components: SharedLogComponents) {
    const prefix = init.prefix ?? "cidcast";
    this.#init = init;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#metrics = notifyMetrics(components.metrics);
    this.#keys = {
      offset: `{${prefix}:events:v1}:offset`,
      stream: `{${prefix}:events:v1}:stream`,
      serials: `{${prefix}:events:v1}:serials`,
      epoch: `{${prefix}:events:v1}:epoch`,
    };
    this.#ring = this.#newRing(FIRST_OFFSET);
    this.#writer = redisConnection(init.url, components.log);
    this.#reader = redisConnection(init.url, components.log);
  }

  get epoch(): string {
    return this.#epoch;
  }

  get firstOffset(): number {
    return this.#ring.firstOffset;
  }

  get nextOffset(): number {
    return this.#ring.nextOffset;
  }

  get state(): "connected" | "degraded" {
    return this.#state;
  }

  /** Adds an event. Its offset is known when it comes back: until then it is 0, except while Redis is away. */
  append: EventLog["append"] = (topic, data, options = {}) => {
    const bytes = eventBytes(topic, data);
    this.#serial += 1;
    const serial = this.#serial;
    const event = { topic, data, atMs: this.#clock.now(), ...options };
    this.#outbox.set(serial, { node: this.#node, serial, event });
    if (this.#state === "connected") {
      this.#send(serial);
      return { ...event, offset: 0 };
    }
    this.#shrinkOutbox();
    return this.#tellHere(serial, event, bytes);
  };

  commit(): void {
    // What is handed out has come from the stream, or is in no lasting epoch.
  }

  read: EventLog["read"] = (offset, limits = {}) => {
    const from = Math.max(offset, this.#ring.firstOffset);
    const { maxEvents = PAGE_EVENTS, maxBytes = PAGE_BYTES } = limits;
    const entries: RingEntry[] = [];
    let bytes = 0;
    for (let at = from; entries.length < maxEvents && bytes < maxBytes; at += 1) {
      const entry = this.#ring.at(at);
      if (entry === undefined) break;
      entries.push(entry);
      bytes += entry.bytes;
    }
    const lost = from > offset ? { fromOffset: offset, toOffset: from - 1 } : undefined;
    return { entries, lost, nextOffset: from + entries.length };
  };

  recent: EventLog["recent"] = (limit, accept) => {
    const found: LogEvent[] = [];
    for (let at = this.nextOffset - 1; at >= this.firstOffset && found.length < limit; at -= 1) {
      const entry = this.#ring.at(at);
      if (entry !== undefined && accept(entry.event)) found.push(entry.event);
    }
    return found.toReversed();
  };

  gapAfter(epoch: string, offset: number): string | undefined {
    if (epoch !== this.#epoch) return "the log has been started anew";
    if (offset >= this.nextOffset) return "this node's log has not come that far";
    return offset + 1 < this.firstOffset ? "the events after it are no longer kept" : undefined;
  }

  onAppend: EventLog["onAppend"] = listener => added(this.#listeners, listener);
  onEpoch: EventLog["onEpoch"] = listener => added(this.#epochListeners, listener);
  onState: SharedLog["onState"] = listener => added(this.#stateListeners, listener);

  /** Begins; a Redis that is not there yet is tried for as long as the node runs. */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (const redis of [this.#writer, this.#reader]) {
      redis.on("close", () => this.#setState("degraded"));
      redis.on("ready", () => void this.#enter());
    }
    await firstAttempt([this.#writer, this.#reader], this.#clock);
  }

  async stop(): Promise<void> {
    this.close();
  }

  close(): void {
    this.#running = false;
    this.#writer.disconnect();
    this.#reader.disconnect();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Redis is there: hand over what happened meanwhile, take the log as it is, and follow it. */
  async #enter(): Promise<void> {
    if (this.#entering || this.#writer.status !== "ready" || this.#reader.status !== "ready") return;
    this.#entering = true;
    try {
      const { offset, stream, epoch: key } = this.#keys;
      await this.#writer.set(key, randomUUID(), "NX");
      const epoch = (await this.#writer.get(key)) ?? randomUUID();
      const isSame = this.#global && epoch === this.#epoch;
      // In the order in which they happened: the script passes over what comes late.
      const written: number[] = [];
      for (const serial of this.#outbox.keys()) {
        await this.#write(serial);
        written.push(serial);
      }
      if (!isSame) {
        // In this order: what is appended between the two is in the stream, and never before the ring's beginning.
        const last = Number((await this.#writer.get(offset)) ?? 0);
        const entries = await this.#writer.xrevrange(stream, "+", "-", "COUNT", LOADED_EVENTS);
        const events = entries.toReversed().map(toEvent);
        const ring = this.#newRing(events[0]?.offset ?? last + 1);
        for (const event of events) ring.push({ event, bytes: eventBytes(event.topic, event.data) });
        this.#renumber(epoch, ring, true);
        // They are in the ring, or before it: none of them comes again.
        for (const serial of written) this.#outbox.delete(serial);
        for (const serial of this.#told) if (!this.#outbox.has(serial)) this.#told.delete(serial);
      }
      this.#setState("connected");
      // What was appended while the log was taken.
      for (const serial of this.#outbox.keys()) this.#send(serial);
      void this.#follow();
    } catch (err) {
      this.#log.debug({ err: messageOf(err) }, "redis went away while the log was joined");
      if (this.#running) this.#clock.after(MAX_RETRY_MS, () => void this.#enter());
    } finally {
      this.#entering = false;
    }
  }

  async #follow(): Promise<void> {
    while (this.#running && this.#state === "connected") {
      try {
        const after = `${this.#ring.nextOffset - 1}-0`;
        const { stream } = this.#keys;
        const read = await this.#reader.xread(
          "COUNT",
          READ_COUNT,
          "BLOCK",
          BLOCK_MS,
          "STREAMS",
          stream,
          after,
        );
        for (const entry of read?.[0]?.[1] ?? []) this.#arrive(entry);
      } catch (err) {
        this.#log.debug({ err: messageOf(err) }, "the event stream cannot be read");
        return;
      }
    }
  }

  #arrive(entry: [id: string, fields: string[]]): void {
    const event = toEvent(entry);
    const { node, serial } = parseEntry(entry);
    if (event.offset < this.#ring.nextOffset) return;
    if (event.offset > this.#ring.nextOffset) {
      // The stream has forgotten events this node had not read: its subscribers have a gap, so this is an epoch of its own.
      this.#renumber(`${this.#epoch}~${randomUUID().slice(0, 8)}`, this.#newRing(event.offset), true);
    }
    const isOwn = node === this.#node;
    if (isOwn) this.#outbox.delete(serial);
    const isTold = isOwn && this.#told.delete(serial);
    this.#place(event, eventBytes(event.topic, event.data), !isTold);
  }

  #place(event: LogEvent, bytes: number, tell: boolean): LogEvent {
    const entry: RingEntry = { event, bytes };
    this.#ring.push(entry);
    this.#metrics.emitted.add();
    if (tell) for (const listener of this.#listeners) listener(entry);
    return event;
  }

  #renumber(epoch: string, ring: Ring, global: boolean): void {
    for (const listener of this.#epochListeners) listener("before", true);
    this.#epoch = epoch;
    this.#ring = ring;
    this.#global = global;
    for (const listener of this.#epochListeners) listener("after", true);
  }

  /** Redis is away: the event goes to this node's subscribers now, and to the other nodes later. */
  #tellHere(serial: number, event: Omit<LogEvent, "offset">, bytes: number): LogEvent {
    if (this.#global) this.#renumber(randomUUID(), this.#newRing(FIRST_OFFSET), false);
    this.#told.add(serial);
    return this.#place({ ...event, offset: this.#ring.nextOffset }, bytes, true);
  }

  #send(serial: number): void {
    this.#write(serial).catch((err: unknown) => {
      this.#log.debug({ err: messageOf(err) }, "an event waits for redis");
    });
  }

  async #write(serial: number): Promise<void> {
    const streamed = this.#outbox.get(serial);
    if (streamed === undefined) return;
    const { offset, stream, serials } = this.#keys;
    const entry = JSON.stringify(streamed);
    await this.#writer.eval(
      APPEND_SCRIPT,
      3,
      offset,
      stream,
      serials,
      this.#node,
      serial,
      entry,
      MAX_STREAM_EVENTS,
    );
  }

  #shrinkOutbox(): void {
    if (this.#outbox.size <= MAX_OUTBOX) return;
    const [oldest] = this.#outbox.keys();
    if (oldest === undefined) return;
    this.#outbox.delete(oldest);
    this.#told.delete(oldest);
    this.#metrics.dropped.add();
  }

  #newRing(nextOffset: number): Ring {
    return new Ring({
      maxEvents: this.#init.maxEvents ?? MAX_RING_EVENTS,
      maxBytes: MAX_RING_BYTES,
      nextOffset,
    });
  }

  #setState(state: "connected" | "degraded"): void {
    // Closing it is no failure.
    if (this.#state === state || !this.#running) return;
    this.#state = state;
    if (state === "degraded") {
      this.#log.warn({}, "redis cannot be reached: events go on on this node alone");
      for (const [serial, { event }] of this.#outbox) {
        if (!this.#told.has(serial))
          this.#tellHere(serial, withoutUndefined(event), eventBytes(event.topic, event.data));
      }
    } else this.#log.info({ node: this.#node }, "events are shared through redis");
    for (const listener of this.#stateListeners) listener(state);
  }
}

function parseEntry([id, fields]: [id: string, fields: string[]]): Streamed {
  const parsed = streamedSchema.safeParse(JSON.parse(fields[1] ?? "null"));
  if (parsed.success) return parsed.data;
  throw new CidcastError("STORAGE_FAILED", `The event ${id} of the stream cannot be read`, {
    cause: parsed.error,
  });
}

function toEvent(entry: [id: string, fields: string[]]): LogEvent {
  return { ...withoutUndefined(parseEntry(entry).event), offset: Number(entry[0].split("-")[0]) };
}

function withoutUndefined(event: Streamed["event"]): Omit<LogEvent, "offset"> {
  const { topic, data, atMs, source, tenantId, latestKey } = event;
  return {
    topic,
    data,
    atMs,
    ...(source === undefined ? {} : { source }),
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(latestKey === undefined ? {} : { latestKey }),
  };
}

function added<T>(set: Set<T>, item: T): () => void {
  set.add(item);
  return () => {
    set.delete(item);
  };
}
