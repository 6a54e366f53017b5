/** Work that begins in order, with a bound on how much of it runs at a time. */
export interface WorkQueue {
  push(work: () => Promise<void> | void): void;
}

/** `onFull` and `onFree` tell the source to pause and go on; what it still had in hand is kept until there is room. */
export function createWorkQueue(init: {
  readonly maxRunning: number;
  readonly onFull: () => void;
  readonly onFree: () => void;
  readonly onError: (error: unknown) => void;
}): WorkQueue {
  const { maxRunning, onFull, onFree, onError } = init;
  const waiting: (() => Promise<void> | void)[] = [];
  let running = 0;

  const run = async (work: () => Promise<void> | void): Promise<void> => {
    running += 1;
    try {
      await work();
    } catch (error) {
      onError(error);
    }
    running -= 1;
    const next = waiting.shift();
    if (next !== undefined) void run(next);
    else if (running === maxRunning - 1) onFree();
  };
  return {
    push(work) {
      if (running >= maxRunning) {
        waiting.push(work);
        return;
      }
      void run(work);
      if (running >= maxRunning) onFull();
    },
  };
}
