/** Runs pieces of work, at most so many at a time. The first failure ends it. */
export class Pool {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Starts a piece of work once there is a place for it; throws what made an earlier one fail. */
  async start(work: () => Promise<unknown>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    this.#check();
    const running = work().then(
      () => undefined,
      error => {
        this.#failure ??= { error };
      },
    );
    const done = running.finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  /** Waits until all are done; throws what made one fail. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running);
    this.#check();
  }

  /** Waits until all are done, however they end. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
