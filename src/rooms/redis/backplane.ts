import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { type Clock, type Logger, messageOf, type Service, withTimeout } from "../../core/index.ts";
import { firstAttempt, redisConnection } from "../../notify/index.ts";
import type { RoomMessage, RoomsBackplane } from "../types.ts";
import { type Envelope, envelopeSchema } from "./messages.ts";

/** Time between two signs of life, milliseconds. */
export const BEAT_MS = 2_000;
/** Silence after which a node counts as gone, milliseconds. */
export const NODE_GONE_MS = 7_000;
/** Longest that the last word of a node may take, milliseconds. */
const BYE_MS = 500;
/** How long it is known who tells that a node has left, seconds. */
const LEFT_SECONDS = 60;
/** Nodes known at a time. */
export const MAX_NODES = 256;

export interface RedisBackplaneInit {
  /** `redis://[:password@]host:port[/database]`. */
  readonly url: string;
  /** Nodes with one prefix share their rooms. */
  readonly prefix?: string;
  /** By what the other nodes know this one, beside an id that each start makes anew: its PeerId, for instance. */
  readonly peerId?: string;
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
  /** PeerIds, or ids, of the other nodes that are here. */
  others(): string[];
  /** Hears which node is gone, by its PeerId. Of the nodes that are left, one alone hears it. */
  onOtherLeft(listener: (peerId: string) => void): () => void;
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
  readonly #prefix: string;
  readonly #peerId: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #messages = new Set<(node: string, message: RoomMessage) => void>();
  readonly #gone = new Set<(node: string) => void>();
  readonly #came = new Set<() => void>();
  readonly #states = new Set<(state: "connected" | "degraded") => void>();
  readonly #left = new Set<(peerId: string) => void>();
  readonly #seen = new Map<string, { atMs: number; peerId: string }>();
  readonly #stops: (() => void)[] = [];
  #state: "stopped" | "connected" | "degraded" = "stopped";

  constructor(init: RedisBackplaneInit, components: RedisBackplaneComponents) {
    this.#prefix = `${init.prefix ?? "cidcast"}:rooms:v1`;
    this.#channel = this.#prefix;
    this.#peerId = init.peerId ?? this.node;
    this.#clock = components.clock;
    this.#log = components.log;
    // What cannot be sent now is not sent later: nodes tell each other everything anew when they meet again.
    this.#publisher = redisConnection(init.url, components.log);
    this.#subscriber = redisConnection(init.url, components.log);
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

  onOtherLeft(listener: (peerId: string) => void): () => void {
    return added(this.#left, listener);
  }

  others(): string[] {
    return [...this.#seen.values()].map(({ peerId }) => peerId);
  }

  /** Begins; a Redis that is not there yet is tried for as long as the node runs. */
  async start(): Promise<void> {
    if (this.#state !== "stopped") return;
    this.#state = "degraded";
    for (const redis of [this.#publisher, this.#subscriber]) {
      redis.on("close", () => this.#setState("degraded"));
      redis.on("ready", () => void this.#ready());
    }
    this.#subscriber.on("message", (_, text) => this.#hear(text));
    this.#stops.push(this.#clock.every(BEAT_MS, () => this.#beat()));
    await firstAttempt([this.#publisher, this.#subscriber], this.#clock);
  }

  async stop(): Promise<void> {
    if (this.#state === "stopped") return;
    this.#send({ node: this.node, bye: true });
    this.#state = "stopped";
    for (const stop of this.#stops.splice(0)) stop();
    // What was sent before goes out first; one that does not answer is cut off.
    if (this.#publisher.status === "ready") {
      await withTimeout(BYE_MS, "Saying goodbye", () => this.#publisher.quit()).catch((err: unknown) =>
        this.#log.debug({ err: messageOf(err) }, "the other nodes were not told of the end"),
      );
    }
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
    this.#send({ node: this.node, peerId: this.#peerId, hello: true });
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
    const { node, peerId, hello, bye, message } = envelope;
    if (node === this.node) return;
    if (bye === true) return this.#forget(node);
    const known = this.#seen.get(node);
    const isNew = known === undefined;
    if (isNew && this.#seen.size >= MAX_NODES) return;
    this.#seen.set(node, { atMs: this.#clock.monotonicMs(), peerId: peerId ?? known?.peerId ?? node });
    if (isNew || hello === true) for (const listener of this.#came) listener();
    if (message !== undefined) for (const listener of this.#messages) listener(node, message);
  }

  #beat(): void {
    this.#send({ node: this.node, peerId: this.#peerId });
    const before = this.#clock.monotonicMs() - NODE_GONE_MS;
    for (const [node, { atMs }] of this.#seen) if (atMs <= before) this.#forget(node);
  }

  #forget(node: string): void {
    const known = this.#seen.get(node);
    if (known === undefined) return;
    this.#seen.delete(node);
    for (const listener of this.#gone) listener(node);
    void this.#tellLeft(node, known.peerId);
  }

  /** Every node sees that one is gone; who first writes it down tells it. */
  async #tellLeft(node: string, peerId: string): Promise<void> {
    if (this.#left.size === 0 || this.#state !== "connected") return;
    try {
      const won = await this.#publisher.set(
        `${this.#prefix}:left:${node}`,
        this.node,
        "EX",
        LEFT_SECONDS,
        "NX",
      );
      if (won !== null) for (const listener of this.#left) listener(peerId);
    } catch (err) {
      this.#log.debug({ err: messageOf(err) }, "a node that left was not told of");
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
