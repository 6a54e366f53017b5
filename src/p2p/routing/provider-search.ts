import { type Clock, type Logger, messageOf } from "../../core/index.ts";
import { MAX_PROVIDERS_DIALLED, MAX_SEARCHED_ROOTS, SEARCH_AGAIN_MS } from "../limits.ts";
import type { Reputation } from "../reputation/index.ts";
import type { Provider, Routing } from "./types.ts";

export interface ProviderSearchComponents {
  readonly routing: Routing;
  readonly reputation: Reputation;
  /** Connects to a provider. */
  readonly dial: (peerId: string, addresses: readonly string[], signal: AbortSignal) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Brings providers of what is being read among the connected peers; one search per root at a time, and not again at once. */
export class ProviderSearch {
  readonly #components: ProviderSearchComponents;
  readonly #searches = new Map<string, { readonly done: Promise<number>; readonly atMs: number }>();

  constructor(components: ProviderSearchComponents) {
    this.#components = components;
  }

  get canSearch(): boolean {
    return this.#components.routing.canFind;
  }

  get size(): number {
    return this.#searches.size;
  }

  /** How many providers of the root were connected to. Rejects never. */
  connect(root: string, signal: AbortSignal): Promise<number> {
    const { clock } = this.#components;
    const known = this.#searches.get(root);
    if (known !== undefined && clock.monotonicMs() - known.atMs < SEARCH_AGAIN_MS) return known.done;
    const done = this.#search(root, signal);
    this.#searches.delete(root);
    this.#searches.set(root, { done, atMs: clock.monotonicMs() });
    const [oldest] = this.#searches.keys();
    if (this.#searches.size > MAX_SEARCHED_ROOTS && oldest !== undefined) this.#searches.delete(oldest);
    return done;
  }

  async #search(root: string, signal: AbortSignal): Promise<number> {
    const { routing, reputation, log } = this.#components;
    const dials: Promise<boolean>[] = [];
    let found: Provider[] = [];
    try {
      for await (const provider of routing.findProviders(root, { signal, limit: MAX_PROVIDERS_DIALLED })) {
        if (reputation.waitMs(provider.peerId) > 0) found.push(provider);
        else dials.push(this.#dial(provider, signal));
        // The first that answers is enough to go on with: the search ends with it.
        if (dials.length === 1 && (await dials[0])) break;
      }
    } catch (error) {
      log.debug({ root, reason: messageOf(error) }, "providers were not found");
    }
    // Who failed a while ago is tried when nobody else is there.
    if (dials.length === 0) {
      found = found.toSorted((a, b) => reputation.score(b.peerId, root) - reputation.score(a.peerId, root));
      for (const provider of found) dials.push(this.#dial(provider, signal));
    }
    return (await Promise.all(dials)).filter(Boolean).length;
  }

  async #dial({ peerId, addresses }: Provider, signal: AbortSignal): Promise<boolean> {
    const { dial, log, reputation } = this.#components;
    try {
      await dial(peerId, addresses, signal);
      return true;
    } catch (error) {
      if (!signal.aborted) reputation.note(peerId, { result: "failed" });
      log.debug({ peer: peerId, reason: messageOf(error) }, "a provider was not reached");
      return false;
    }
  }
}
