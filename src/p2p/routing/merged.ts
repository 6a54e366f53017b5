/** What several sources give, as it comes; ends with the last one, or when the signal aborts. Sources do not throw. */
export async function* merged<T>(
  sources: readonly AsyncIterable<T>[],
  signal: AbortSignal,
): AsyncGenerator<T> {
  const iterators = sources.map(source => source[Symbol.asyncIterator]());
  const aborted = Promise.withResolvers<undefined>();
  const onAbort = (): void => aborted.resolve(undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const next = (index: number): Promise<Next<T>> | undefined =>
    iterators[index]?.next().then(result => ({ index, result }));
  const pending = new Map<number, Promise<Next<T>>>();
  for (const index of iterators.keys()) {
    const first = next(index);
    if (first !== undefined) pending.set(index, first);
  }
  try {
    while (pending.size > 0) {
      const came = await Promise.race([...pending.values(), aborted.promise]);
      if (came === undefined) return;
      if (came.result.done === true) {
        pending.delete(came.index);
        continue;
      }
      const following = next(came.index);
      if (following !== undefined) pending.set(came.index, following);
      yield came.result.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    for (const index of pending.keys()) iterators[index]?.return?.().catch(() => undefined);
  }
}

interface Next<T> {
  readonly index: number;
  readonly result: IteratorResult<T>;
}
