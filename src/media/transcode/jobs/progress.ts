/** Lets others wait until something has moved on. */
export class Progress {
  #waiting = Promise.withResolvers<void>();

  /** Resolves at the next progress after this call. */
  next(): Promise<void> {
    return this.#waiting.promise;
  }

  made(): void {
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers<void>();
  }
}
