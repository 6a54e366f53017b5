import type { CID } from "multiformats/cid";
import type { ContentHold } from "../types.ts";

interface HeldRoot {
  readonly cid: CID;
  count: number;
  readonly free: PromiseWithResolvers<void>;
}

/** DAGs in use, counted by root. */
export class Holds {
  readonly #roots = new Map<string, HeldRoot>();
  readonly #listeners = new Set<(cid: CID) => void>();

  get size(): number {
    return this.#roots.size;
  }

  roots(): CID[] {
    return [...this.#roots.values()].map(held => held.cid);
  }

  isHeld(cid: CID): boolean {
    return this.#roots.has(cid.toString());
  }

  /** Resolves once nobody holds it. */
  async free(cid: CID): Promise<void> {
    for (let held = this.#roots.get(cid.toString()); held; held = this.#roots.get(cid.toString())) {
      await held.free.promise;
    }
  }

  /** Hears of roots that are held from now on, at once. */
  onHold(listener: (cid: CID) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  hold(cid: CID): ContentHold {
    const text = cid.toString();
    const held = this.#roots.get(text) ?? { cid, count: 0, free: Promise.withResolvers() };
    held.count++;
    this.#roots.set(text, held);
    for (const listener of this.#listeners) listener(cid);
    let open = true;
    const release = (): void => {
      if (!open) return;
      open = false;
      held.count--;
      if (held.count > 0) return;
      this.#roots.delete(text);
      held.free.resolve();
    };
    return { cid: text, release, [Symbol.dispose]: release };
  }
}
