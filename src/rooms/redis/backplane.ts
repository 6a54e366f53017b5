import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { type Clock, type Logger, messageOf, type Service } from "../../core/index.ts";
import type { RoomMessage, RoomsBackplane } from "../types.ts";
import { type Envelope, envelopeSchema } from "./messages.ts";

/** Time between two signs of life, milliseconds. */
export const BEAT_MS = 2_000;
/** Silence after which a node counts as gone, milliseconds. */
export const NODE_GONE_MS = 7_000;
/** Longest wait between two attempts to reach Redis, milliseconds. */
const MAX_RETRY_MS = 2_000;
const RETRY_STEP_MS = 100;
/** Nodes known at a time. */
export const MAX_NODES = 256;

export interface RedisBackplaneInit {
  /** `redis://[:password@]host:port[/database]`. */
  readonly url: string;
  /** Nodes with one prefix share their rooms. */
  readonly prefix?: string;
}

export interface RedisBackplaneComponents {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Rooms over several nodes through Redis. While Redis cannot be reached each node goes on by itself. */
export interface RedisRoomsBackplane extends RoomsBackplane, Service {
  readonly node: string;
  /** `degraded`: Redis cannot be reached. */
  readonly state: "stopped" | "connected" | "degraded";
  onState(listener: (state: "connected" | "degraded") => void): () => void;
}

export function createRedisRoomsBackplane(
  init: RedisBackplaneInit,
): (components: RedisBackplaneComponents) => RedisRoomsBackplane {
  return components => new RedisBackplane(init, components);
}

class RedisBackplane implements RedisRoomsBackplane {
  readonly name = "rooms-redis";
  readonly node = randomUUID();
  readonly #channel: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #messages = new Set<(node: string, message: RoomMessage) => void>();
  readonly #gone = new Set<(node: string) => void>();
  readonly #came = new Set<() => void>();
  readonly #states = new Set<(state: "connected" | "degraded") => void>();
  readonly #seenMs = new Map<string, number>();
  readonly #stops: (() => void)[] = [];
  #state: "stopped" | "connected" | "degraded" = "stopped";

  constructor(init: RedisBackplaneInit, components: RedisBackplaneComponents) {
    this.#channel = `${init.prefix ?? "cidcast"}:rooms:v1`;
    this.#clock = components.clock;
    this.#log = components.log;
    const options = {
      lazyConnect: true,
      // What cannot be sent now is not sent later: nodes tell each other everything anew when they meet again.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times: number) => Math.min(MAX_RETRY_MS, times * RETRY_STEP_MS),
    };
    this.#publisher = new Redis(init.url, options);
    this.#subscriber = new Redis(init.url, { ...options, autoResubscribe: false });
  }

  get state(): "stopped" | "connected" | "degraded" {
    return this.#state;
  }

  publish(message: RoomMessage): void {
    this.#send({ node: this.node, message });
  }

  onMessage(listener: (node: string, message: RoomMessage) => void): () => void {
    return added(this.#messages, listener);
  }

  onNodeGone(listener: (node: string) => void): () => void {
    return added(this.#gone, listener);
  }

  onNodeCame(listener: () => void): () => void {
    return added(this.#came, listener);
  }

  onState(listener: (state: "connected" | "degraded") => void): () => void {
    return added(this.#states, listener);
  }

  /** Begins; a Redis that is not there yet is tried for as long as the node runs. */
  async start(): Promise<void> {
    if (this.#state !== "stopped") return;
    this.#state = "degraded";
    for (const redis of [this.#publisher, this.#subscriber]) {
      redis.on("error", err => this.#log.debug({ err: messageOf(err) }, "redis cannot be reached"));
      redis.on("close", () => this.#setState("degraded"));
      redis.on("ready", () => void this.#ready());
    }
    this.#subscriber.on("message", (_, text) => this.#hear(text));
    this.#stops.push(this.#clock.every(BEAT_MS, () => this.#beat()));
    const connecting = [this.#publisher.connect(), this.#subscriber.connect()];
    // A refused first attempt is tried again by the client itself; `error` has told it.
    await Promise.allSettled(connecting);
  }

  async stop(): Promise<void> {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    for (const stop of this.#stops.splice(0)) stop();
    this.#publisher.disconnect();
    this.#subscriber.disconnect();
  }

  async #ready(): Promise<void> {
    if (this.#publisher.status !== "ready" || this.#subscriber.status !== "ready") return;
    try {
      await this.#subscriber.subscribe(this.#channel);
    } catch (err) {
      this.#log.debug({ err: messageOf(err) }, "redis went away while subscribing");
      return;
    }
    this.#setState("connected");
    this.#send({ node: this.node, hello: true });
    // Whoever forgot this node, or never knew it, learns who is here.
    for (const listener of this.#came) listener();
  }

  #send(envelope: Envelope): void {
    if (this.#state !== "connected") return;
    this.#publisher.publish(this.#channel, JSON.stringify(envelope)).catch((err: unknown) => {
      this.#log.debug({ err: messageOf(err) }, "a room message did not reach redis");
    });
  }

  #hear(text: string): void {
    let envelope: Envelope;
    try {
      envelope = envelopeSchema.parse(JSON.parse(text));
    } catch (err) {
      this.#log.warn({ err: messageOf(err) }, "a room message of another node cannot be read");
      return;
    }
    const { node, hello, message } = envelope;
    if (node === this.node) return;
    const isNew = !this.#seenMs.has(node);
    if (isNew && this.#seenMs.size >= MAX_NODES) return;
    this.#seenMs.set(node, this.#clock.monotonicMs());
    if (isNew || hello === true) for (const listener of this.#came) listener();
    if (message !== undefined) for (const listener of this.#messages) listener(node, message);
  }

  #beat(): void {
    this.#send({ node: this.node });
    const before = this.#clock.monotonicMs() - NODE_GONE_MS;
    for (const [node, seenMs] of this.#seenMs) {
      if (seenMs > before) continue;
      this.#seenMs.delete(node);
      for (const listener of this.#gone) listener(node);
    }
  }

  #setState(state: "connected" | "degraded"): void {
    if (this.#state === state || this.#state === "stopped") return;
    this.#state = state;
    if (state === "degraded") this.#log.warn({}, "redis cannot be reached: rooms go on on this node alone");
    else this.#log.info({ node: this.node }, "rooms are shared through redis");
    for (const listener of this.#states) listener(state);
  }
}

function added<T>(set: Set<T>, item: T): () => void {
  set.add(item);
  return () => {
    set.delete(item);
  };
}
