/** Lets one piece of work run at a time, in the order of asking. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    // The next one runs whatever became of this one; its error goes to whoever asked for it.
    this.#last = result.catch(() => undefined);
    return result;
  }
}
