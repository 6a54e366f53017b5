import { AsyncLocalStorage } from "node:async_hooks";
import type { ServerEvent, ServerEventBus } from "@modelcontextprotocol/server";
import type { Principal } from "../../core/index.ts";

/** Changes for streams of `subscriptions/listen`, each of which belongs to a principal: not everybody hears of everything. */
export class PrincipalBus implements ServerEventBus {
  readonly #listeners = new Map<(event: ServerEvent) => void, Principal | undefined>();
  readonly #caller = new AsyncLocalStorage<Principal>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Does what may open a stream, for a principal. */
  as<T>(principal: Principal, work: () => T): T {
    return this.#caller.run(principal, work);
  }

  publish(event: ServerEvent): void {
    this.publishTo(event, () => true);
  }

  /** Tells those alone whom `accept` takes. */
  publishTo(event: ServerEvent, accept: (principal: Principal) => boolean): void {
    for (const [listener, principal] of this.#listeners) {
      if (principal === undefined || !accept(principal)) continue;
      try {
        listener(event);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  subscribe(listener: (event: ServerEvent) => void): () => void {
    // The same function twice would be one entry here: each stream has its own.
    const own = (event: ServerEvent): void => listener(event);
    this.#listeners.set(own, this.#caller.getStore());
    return () => {
      this.#listeners.delete(own);
    };
  }
}
