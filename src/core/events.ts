import type { AbortOptions } from "./abort.ts";
import type { Logger } from "./logger.ts";

/** An event as subscribers see it. */
export interface PublishedEvent<M, K extends keyof M = keyof M> {
  readonly type: K;
  readonly data: M[K];
  /** Wall clock, milliseconds since 1970. */
  readonly atMs: number;
  /** The tenant for whom it happened; none: the node's owner alone is told. */
  readonly tenantId?: string;
}

/** What is said of an event beside its type and payload. */
export interface EventContext {
  /** The tenant for whom it happened. */
  readonly tenantId?: string | undefined;
}

/** Ends a subscription. Safe to call twice. */
export type Unsubscribe = () => void;

/** What a domain needs to tell the rest of the node what happened. */
export interface EventPublisher<M> {
  publish<K extends keyof M>(type: K, data: M[K], context?: EventContext): void;
}

/** In-process events of the node, typed by the map `M` from event type to payload. Delivery is synchronous and in order. */
export class EventBus<M> implements EventPublisher<M> {
  readonly #log: Logger;
  readonly #byType = new Map<keyof M, Set<(event: PublishedEvent<M>) => void>>();
  readonly #all = new Set<(event: PublishedEvent<M>) => void>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Tells every subscriber; one that throws is logged and does not keep the others from hearing. */
  publish<K extends keyof M>(type: K, data: M[K], { tenantId }: EventContext = {}): void {
    const event: PublishedEvent<M> = {
      type,
      data,
      atMs: Date.now(),
      ...(tenantId !== undefined && { tenantId }),
    };
    for (const listener of this.#byType.get(type) ?? []) this.#deliver(listener, event);
    for (const listener of this.#all) this.#deliver(listener, event);
  }

  /** Hears events of one type. */
  on<K extends keyof M>(type: K, listener: (event: PublishedEvent<M, K>) => void): Unsubscribe {
    let set = this.#byType.get(type);
    if (set === undefined) {
      set = new Set();
      this.#byType.set(type, set);
    }
    // The set is keyed by type, so the listener only ever gets events of its own type.
    const entry = listener as unknown as (event: PublishedEvent<M>) => void;
    set.add(entry);
    return () => {
      set.delete(entry);
    };
  }

  /** Hears every event. */
  onAny(listener: (event: PublishedEvent<M>) => void): Unsubscribe {
    this.#all.add(listener);
    return () => {
      this.#all.delete(listener);
    };
  }

  /** The next event of that type which `accept` takes. */
  async next<K extends keyof M>(
    type: K,
    options: AbortOptions & { readonly accept?: (data: M[K]) => boolean } = {},
  ): Promise<M[K]> {
    options.signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<M[K]>();
    const onAbort = (): void => reject(options.signal?.reason);
    const off = this.on(type, event => {
      if (options.accept?.(event.data) ?? true) resolve(event.data);
    });
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      off();
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  #deliver(listener: (event: PublishedEvent<M>) => void, event: PublishedEvent<M>): void {
    try {
      listener(event);
    } catch (error) {
      this.#log.error({ err: error, type: String(event.type) }, "event listener failed");
    }
  }
}
