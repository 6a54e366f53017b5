import { type BackoffInit, backoffMs, type Clock, type Logger, messageOf } from "../../core/index.ts";
import { delay } from "./delay.ts";

/** Waits between dials of a peer that is to stay connected: quick at first, a minute at most. */
export const RECONNECT_BACKOFF: BackoffInit = { initialMs: 500, maxMs: 60_000 };

export interface KeepConnectedComponents {
  /** Dials a multiaddr; gives the PeerId that answered. */
  readonly dial: (address: string, signal: AbortSignal) => Promise<string>;
  /** Resolves when no connection to the peer is left, or the signal aborts. */
  readonly disconnected: (peerId: string, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly backoff?: BackoffInit;
}

/** Keeps peers connected: dials each address, waits for the end of the connection, dials again. The one owner of redials. */
export class KeepConnected {
  readonly #components: KeepConnectedComponents;
  readonly #running = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  constructor(components: KeepConnectedComponents) {
    this.#components = components;
  }

  /** Addresses that are kept. */
  get size(): number {
    return this.#running.size;
  }

  /** Starts with `address`, unless it is kept already. */
  add(address: string): void {
    if (this.#running.has(address) || this.#stop.signal.aborted) return;
    this.#running.set(address, this.#keep(address, this.#stop.signal));
  }

  /** Ends all redials, and waits for the dials under way to end. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running.values());
    this.#running.clear();
  }

  async #keep(address: string, signal: AbortSignal): Promise<void> {
    const { dial, disconnected, clock, log, backoff = RECONNECT_BACKOFF } = this.#components;
    let attempt = 0;
    while (!signal.aborted) {
      try {
        const peer = await dial(address, signal);
        if (attempt > 0) log.info({ address, peer }, "peer is connected again");
        attempt = 0;
        await disconnected(peer, signal);
      } catch (error) {
        if (signal.aborted) return;
        log[attempt === 0 ? "warn" : "debug"]({ address, attempt, reason: messageOf(error) }, "dial failed");
      }
      await delay(clock, backoffMs(attempt++, backoff), signal);
    }
  }
}
