import { CidcastError } from "./errors.ts";

/** Options of everything that waits. */
export interface AbortOptions {
  /** Ends the operation; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A signal that aborts when any of those given does; undefined ones are passed over. */
export function anySignal(...signals: (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter(signal => signal !== undefined);
  if (given.length < 2) return given[0];
  return AbortSignal.any(given);
}

/** Runs `work` with a signal that aborts after `timeoutMs`; rejects with `TIMEOUT` when that happened. */
export async function withTimeout<T>(
  timeoutMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  options: AbortOptions = {},
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new CidcastError("TIMEOUT", `${what} took longer than ${timeoutMs} ms`));
  }, timeoutMs);
  const signal = anySignal(controller.signal, options.signal) ?? controller.signal;
  try {
    return await raceSignal(work(signal), signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves with `promise`, or rejects with the signal's reason as soon as it aborts. The work itself is not stopped. */
export async function raceSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    promise.catch(() => undefined);
    throw signal.reason;
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
