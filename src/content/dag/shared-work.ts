import { type AbortOptions, CidcastError, raceSignal } from "../../core/index.ts";

interface Running<V> {
  readonly result: Promise<V>;
  readonly stop: AbortController;
  waiting: number;
}

/** One piece of work per key at a time, shared by those who ask meanwhile; it is stopped when all of them have gone. */
export class SharedWork<V> {
  readonly #running = new Map<string, Running<V>>();

  async run(key: string, work: (signal: AbortSignal) => Promise<V>, options: AbortOptions = {}): Promise<V> {
    options.signal?.throwIfAborted();
    const running = this.#running.get(key) ?? this.#start(key, work);
    running.waiting++;
    try {
      return await raceSignal(running.result, options.signal);
    } finally {
      running.waiting--;
      if (running.waiting === 0) {
        if (this.#running.get(key) === running) this.#running.delete(key);
        running.stop.abort(new CidcastError("ABORTED", "Nobody waits for it any more"));
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<V>): Running<V> {
    const stop = new AbortController();
    const running: Running<V> = { result: work(stop.signal), stop, waiting: 0 };
    this.#running.set(key, running);
    const forget = (): void => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    };
    running.result.then(forget, forget);
    return running;
  }
}
