/** Things on their way from one who gives to one who takes, with an end. */
export interface ItemQueue<T> extends AsyncIterableIterator<T, void, void> {
  readonly size: number;
  /** Adds a thing; dropped after the end. */
  push(item: T): void;
  /** No more comes; with an error, whoever takes the last thing gets it. */
  end(error?: Error): void;
}

export interface ItemQueueInit {
  /** Called when the last thing was taken. */
  readonly onEmpty: () => void;
  /** Called when whoever takes has enough. */
  readonly onReturn: () => void;
}

export function createItemQueue<T>(init: ItemQueueInit): ItemQueue<T> {
  const items: T[] = [];
  const waiting: PromiseWithResolvers<IteratorResult<T, void>>[] = [];
  let ended: { readonly error: Error | undefined } | undefined;

  const finish = (): Promise<IteratorResult<T, void>> => {
    const error = ended?.error;
    if (error === undefined) return Promise.resolve({ done: true, value: undefined });
    // Told once; whoever asks again learns that it is over.
    ended = { error: undefined };
    return Promise.reject(error);
  };
  return {
    get size() {
      return items.length;
    },
    push(item) {
      if (ended !== undefined) return;
      const next = waiting.shift();
      if (next === undefined) items.push(item);
      else next.resolve({ done: false, value: item });
    },
    end(error) {
      if (ended !== undefined) return;
      ended = { error };
      for (const next of waiting.splice(0)) next.resolve(finish());
    },
    next() {
      const item = items.shift();
      if (item !== undefined) {
        if (items.length === 0) init.onEmpty();
        return Promise.resolve({ done: false, value: item });
      }
      if (ended !== undefined) return finish();
      const next = Promise.withResolvers<IteratorResult<T, void>>();
      waiting.push(next);
      return next.promise;
    },
    return() {
      items.length = 0;
      init.onReturn();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
