import { type Backoff, type ClientError, isTransient, toClientError } from "@cidcast/client";

export interface KeepConnectedInit {
  /** Connects, and resolves to what the connection was lost to in the end. May throw instead. */
  readonly connect: (signal: AbortSignal) => Promise<ClientError>;
  readonly backoff: Backoff;
  readonly signal: AbortSignal;
  /** Called before each wait. `wake` ends it at once. */
  readonly onRetry: (retry: {
    readonly attempt: number;
    readonly waitMs: number;
    readonly wake: () => void;
    /** Why. */
    readonly cause: ClientError;
  }) => void;
}

/**
 * Connects again and again until the signal ends it (resolves to undefined), an error comes that waiting cannot mend, or
 * the attempts are used up (resolves to the last error). Whoever sees a connection work resets the backoff.
 */
export async function keepConnected(init: KeepConnectedInit): Promise<ClientError | undefined> {
  const { backoff, signal } = init;
  while (!signal.aborted) {
    const cause = await init.connect(signal).catch((thrown: unknown) => toClientError(thrown));
    if (signal.aborted) break;
    const waitMs = isTransient(cause) ? backoff.next() : undefined;
    if (waitMs === undefined) return cause;
    await wait(waitMs, signal, wake => init.onRetry({ attempt: backoff.attempts, waitMs, wake, cause }));
  }
  return undefined;
}

function wait(ms: number, signal: AbortSignal, begin: (wake: () => void) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => resolve(), ms);
  signal.addEventListener("abort", () => resolve(), { once: true });
  begin(resolve);
  return promise.finally(() => clearTimeout(timer));
}
