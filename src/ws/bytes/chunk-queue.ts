/** Chunks that come one by one, read as a stream. Whoever pushes waits until its chunk is taken. */
export class ChunkQueue implements AsyncIterable<Uint8Array> {
  readonly #waiting: { readonly chunk: Uint8Array; readonly taken: () => void }[] = [];
  #wake: () => void = () => undefined;
  #ended = false;
  #error: unknown;

  /** Resolves when the chunk is taken, or nobody will take it. */
  push(chunk: Uint8Array): Promise<void> {
    if (this.#ended) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ chunk, taken: resolve });
    this.#wake();
    return promise;
  }

  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next !== undefined) {
          yield next.chunk;
          next.taken();
        } else if (this.#error !== undefined) throw this.#error;
        else if (this.#ended) return;
        else
          await new Promise<void>(resolve => {
            this.#wake = resolve;
          });
      }
    } finally {
      this.#ended = true;
      for (const { taken } of this.#waiting.splice(0)) taken();
    }
  }
}
