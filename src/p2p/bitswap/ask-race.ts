/** A verified block and who sent it. */
export interface Answer {
  readonly bytes: Uint8Array;
  readonly peerId: string;
}

/** Asks several peers, a few at a time, until one answers. */
export class AskRace {
  readonly #ask: (peerId: string) => Promise<Answer>;
  readonly #done = Promise.withResolvers<Answer>();
  readonly #over = new AbortController();
  readonly #failures: unknown[] = [];
  readonly #asked = new Set<string>();
  #queue: string[] = [];
  #running = 0;
  #onIdle: (() => void) | undefined;

  constructor(ask: (peerId: string) => Promise<Answer>) {
    this.#ask = ask;
  }

  get result(): Promise<Answer> {
    return this.#done.promise;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Called once before the race is given up. */
  whenIdle(onIdle: () => void): void {
    this.#onIdle = onIdle;
  }

  queue(peerIds: readonly string[], atOnce: number): void {
    if (this.#over.signal.aborted) return;
    for (const peerId of peerIds) {
      if (this.#asked.has(peerId)) continue;
      this.#asked.add(peerId);
      this.#queue.push(peerId);
    }
    while (this.#running < atOnce && this.#startNext(atOnce));
    this.#giveUpWhenIdle();
  }

  #startNext(atOnce: number): boolean {
    const peerId = this.#queue.shift();
    if (peerId === undefined) return false;
    this.#running++;
    this.#ask(peerId).then(
      answer => {
        this.#over.abort();
        this.#done.resolve(answer);
      },
      (error: unknown) => {
        this.#failures.push(error);
        this.#running--;
        if (!this.#startNext(atOnce)) this.#giveUpWhenIdle();
      },
    );
    return true;
  }

  #giveUpWhenIdle(): void {
    if (this.#running > 0 || this.#queue.length > 0 || this.#over.signal.aborted) return;
    const onIdle = this.#onIdle;
    this.#onIdle = undefined;
    if (onIdle !== undefined) {
      onIdle();
      return;
    }
    this.#over.abort();
    this.#done.reject(new AggregateError(this.#failures, "No peer has the block"));
  }
}
