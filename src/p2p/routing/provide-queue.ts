import { type Clock, type EventPublisher, type Logger, messageOf } from "../../core/index.ts";
import {
  MAX_PROVIDE_QUEUE,
  PROVIDE_CONCURRENCY,
  PROVIDE_RETRY_MAX_MS,
  PROVIDE_RETRY_MS,
  PROVIDE_TIMEOUT_MS,
} from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import type { ProvideStatus, RoutingEvents } from "./types.ts";

export interface ProvideQueueInit {
  /** Time between two rounds through everything, milliseconds. */
  readonly intervalMs: number;
}

export interface ProvideQueueComponents {
  /** Tells one CID. */
  readonly tell: (cid: string, signal: AbortSignal) => Promise<void>;
  /** The roots of all that is here. */
  readonly roots: () => AsyncIterable<string>;
  readonly events: EventPublisher<RoutingEvents>;
  readonly metrics: PeerMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Tells what is here: what is added at once, and everything anew every so often, before others forget it. Falling behind is told. */
export class ProvideQueue {
  readonly #init: ProvideQueueInit;
  readonly #components: ProvideQueueComponents;
  readonly #waiting = new Set<string>();
  readonly #stop = new AbortController();
  readonly #room = new Set<() => void>();
  /** What nobody took: tried again after a while. */
  readonly #again = new Set<string>();
  #retryMs = PROVIDE_RETRY_MS;
  #cancelRetry: (() => void) | undefined;
  #running = 0;
  #provided = 0;
  #failed = 0;
  #backlog: string | undefined;
  #round: Promise<void> | undefined;
  #lastRoundMs: number | undefined;
  #cancel: (() => void) | undefined;

  constructor(init: ProvideQueueInit, components: ProvideQueueComponents) {
    this.#init = init;
    this.#components = components;
  }

  get status(): ProvideStatus {
    return {
      waiting: this.#waiting.size + this.#running + this.#again.size,
      provided: this.#provided,
      failed: this.#failed,
      backlog: this.#backlog,
      lastRoundMs: this.#lastRoundMs,
    };
  }

  start(): void {
    this.#cancel = this.#components.clock.every(this.#init.intervalMs, () => this.startRound());
    this.startRound();
  }

  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancelRetry?.();
    this.#stop.abort();
    this.#waiting.clear();
    this.#makeRoom();
    await this.#round;
  }

  add(cid: string): void {
    if (this.#stop.signal.aborted || this.#waiting.has(cid)) return;
    if (this.#waiting.size >= MAX_PROVIDE_QUEUE) {
      this.#components.metrics.provided.add(1, { result: "no_room" });
      this.#alarm(
        `${MAX_PROVIDE_QUEUE} CIDs wait to be told to the network: what is added now is told in a later round`,
      );
      return;
    }
    this.#waiting.add(cid);
    this.#components.metrics.provideQueue.set(this.#waiting.size);
    this.#work();
  }

  /** Goes through everything; a round that is still under way is left alone, and told of. */
  startRound(): void {
    if (this.#stop.signal.aborted) return;
    if (this.#round !== undefined) {
      this.#alarm(
        `a round through all content takes longer than ${this.#init.intervalMs} ms: others forget some of it`,
      );
      return;
    }
    this.#round = this.#goRound().finally(() => {
      this.#round = undefined;
    });
  }

  async #goRound(): Promise<void> {
    const { roots, clock, log } = this.#components;
    try {
      for await (const cid of roots()) {
        while (this.#waiting.size >= MAX_PROVIDE_QUEUE / 2 && !this.#stop.signal.aborted)
          await this.#nextRoom();
        if (this.#stop.signal.aborted) return;
        this.add(cid);
      }
      while (this.#waiting.size + this.#running > 0 && !this.#stop.signal.aborted) await this.#nextRoom();
      if (this.#stop.signal.aborted) return;
      this.#lastRoundMs = clock.now();
      this.#backlog = undefined;
    } catch (error) {
      log.warn({ reason: messageOf(error) }, "what is here could not be listed for others");
    }
  }

  #work(): void {
    for (const cid of this.#waiting) {
      if (this.#running >= PROVIDE_CONCURRENCY) return;
      this.#waiting.delete(cid);
      this.#running++;
      void this.#tell(cid);
    }
  }

  async #tell(cid: string): Promise<void> {
    const { tell, metrics, log } = this.#components;
    try {
      await tell(cid, AbortSignal.any([this.#stop.signal, AbortSignal.timeout(PROVIDE_TIMEOUT_MS)]));
      this.#provided++;
      this.#retryMs = PROVIDE_RETRY_MS;
      metrics.provided.add(1, { result: "ok" });
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        this.#failed++;
        this.#tryAgain(cid);
        metrics.provided.add(1, { result: "failed" });
        log.debug({ cid, reason: messageOf(error) }, "content was not told to the network");
      }
    }
    this.#running--;
    metrics.provideQueue.set(this.#waiting.size);
    this.#makeRoom();
    if (!this.#stop.signal.aborted) this.#work();
  }

  /** A peer has come that may take what nobody took before. */
  peerCame(): void {
    this.#retryMs = PROVIDE_RETRY_MS;
    if (this.#again.size === 0) return;
    this.#cancelRetry?.();
    this.#retryIn(PROVIDE_RETRY_MS);
  }

  #tryAgain(cid: string): void {
    if (this.#again.size < MAX_PROVIDE_QUEUE) this.#again.add(cid);
    if (this.#cancelRetry === undefined) this.#retryIn(this.#retryMs);
  }

  #retryIn(ms: number): void {
    this.#cancelRetry = this.#components.clock.after(ms, () => {
      this.#cancelRetry = undefined;
      this.#retryMs = Math.min(this.#retryMs * 2, PROVIDE_RETRY_MAX_MS);
      const again = [...this.#again];
      this.#again.clear();
      for (const failed of again) this.add(failed);
    });
  }

  #alarm(message: string): void {
    if (this.#backlog === message) return;
    this.#backlog = message;
    const { events, log } = this.#components;
    log.warn({ waiting: this.#waiting.size }, message);
    events.publish("provide_backlog", { waiting: this.#waiting.size, message });
  }

  #makeRoom(): void {
    for (const resolve of this.#room) resolve();
    this.#room.clear();
  }

  async #nextRoom(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#room.add(resolve);
    await promise;
  }
}
