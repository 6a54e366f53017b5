import { type AbortOptions, raceSignal } from "../../core/index.ts";

/** The same stream, that ends with the signal's reason as soon as it aborts, even while the source says nothing. */
export async function* abortable<T>(source: AsyncIterable<T>, options: AbortOptions): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const { value, done } = await raceSignal(iterator.next(), options.signal);
      if (done === true) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    // Not waited for: a source that hangs would keep the caller, who has gone already.
    if (!ended) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}
