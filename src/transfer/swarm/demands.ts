import type { CID } from "multiformats/cid";
import { type Cancel, CidcastError, type Clock } from "../../core/index.ts";
import { keyOf } from "../dag/visited.ts";
import { URGENT_HEDGE_MS } from "../limits.ts";

interface Demand {
  readonly cid: CID;
  readonly key: string;
  readonly here: PromiseWithResolvers<void>;
  isAsked: boolean;
  hedge: Cancel | undefined;
}

export interface DemandHost {
  /** Asks a source for the block; `besides`: another one than was asked before. False when nobody could be asked. */
  assign(cid: CID, besides: boolean): boolean;
}

/** Blocks that somebody waits for, in the order they were asked for. */
export class Demands {
  readonly #clock: Clock;
  readonly #host: DemandHost;
  readonly #open = new Map<string, Demand>();

  constructor(clock: Clock, host: DemandHost) {
    this.#clock = clock;
    this.#host = host;
  }

  /** Resolves when the block is here; rejects with `CONTENT_NOT_FOUND` when the transfer ends before. */
  wait(cid: CID): Promise<void> {
    const key = keyOf(cid);
    let demand = this.#open.get(key);
    if (demand === undefined) {
      demand = { cid, key, here: Promise.withResolvers<void>(), isAsked: false, hedge: undefined };
      demand.here.promise.catch(() => undefined);
      this.#open.set(key, demand);
      this.#ask(demand);
    }
    return demand.here.promise;
  }

  /** Asks for those that nobody could be asked for before. */
  retry(): void {
    for (const demand of this.#open.values()) if (!demand.isAsked) this.#ask(demand);
  }

  arrived(key: string): void {
    const demand = this.#open.get(key);
    if (demand === undefined) return;
    this.#open.delete(key);
    demand.hedge?.();
    demand.here.resolve();
  }

  /** Blocks that do not come from where they were asked for. */
  lost(keys: readonly string[]): void {
    for (const key of keys) {
      const demand = this.#open.get(key);
      if (demand !== undefined) this.#ask(demand);
    }
  }

  close(): void {
    for (const demand of this.#open.values()) {
      demand.hedge?.();
      demand.here.reject(new CidcastError("CONTENT_NOT_FOUND", "The transfer ended without the block"));
    }
    this.#open.clear();
  }

  #ask(demand: Demand): void {
    demand.hedge?.();
    demand.isAsked = this.#host.assign(demand.cid, false);
    const besides = (): void => {
      demand.hedge = this.#clock.after(URGENT_HEDGE_MS, () => {
        this.#host.assign(demand.cid, true);
        besides();
      });
    };
    besides();
  }
}
