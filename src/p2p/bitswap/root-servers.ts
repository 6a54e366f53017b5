import { MAX_REMEMBERED_ROOTS } from "../limits.ts";

/** Remembers which peer served blocks of which root, so that siblings are asked of it first. */
export class RootServers {
  readonly #byRoot = new Map<string, string>();

  served(root: string, peerId: string): void {
    this.#byRoot.delete(root);
    this.#byRoot.set(root, peerId);
    const oldest = this.#byRoot.keys().next().value;
    if (this.#byRoot.size > MAX_REMEMBERED_ROOTS && oldest !== undefined) this.#byRoot.delete(oldest);
  }

  of(root: string): string | undefined {
    return this.#byRoot.get(root);
  }

  get size(): number {
    return this.#byRoot.size;
  }
}
