/** Runs one piece of work per key at a time; callers who come meanwhile share its result. */
export class SingleFlight<K, V> {
  readonly #running = new Map<K, Promise<V>>();

  /** Number of pieces of work under way. */
  get size(): number {
    return this.#running.size;
  }

  /** The result of the work under way for `key`, or of `work` started now. */
  run(key: K, work: () => Promise<V>): Promise<V> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = work().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
