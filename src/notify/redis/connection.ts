import { Redis } from "ioredis";
import { type Clock, type Logger, messageOf } from "../../core/index.ts";

const RETRY_STEP_MS = 100;
/** Longest wait between two attempts to reach Redis, milliseconds. */
export const MAX_RETRY_MS = 2000;
/** A Redis that leaves a command unanswered, or a connection unopened, for this long counts as away, milliseconds. */
export const SILENT_MS = 4000;
/** Longest that a start waits for Redis, milliseconds: the node serves before, alone. */
export const FIRST_ATTEMPT_MS = 1000;

/** A connection that is opened by `connect()` and opened again by itself; nothing is sent later than it was asked for. */
export function redisConnection(url: string, log: Logger): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: SILENT_MS,
    socketTimeout: SILENT_MS,
    retryStrategy: times => Math.min(MAX_RETRY_MS, times * RETRY_STEP_MS),
  });
  // A connection that ends while a command waits leaves its timer behind, and that would cut off the next connection.
  redis.on("close", () => {
    clearTimeout(redis["socketTimeoutTimer"]);
    redis["socketTimeoutTimer"] = undefined;
  });
  redis.on("error", err => log.debug({ err: messageOf(err) }, "redis cannot be reached"));
  return redis;
}

/** Connects, and waits for it a short while: connections that are refused or silent are tried again by themselves. */
export async function firstAttempt(connections: readonly Redis[], clock: Clock): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(FIRST_ATTEMPT_MS, resolve);
  const connecting = Promise.allSettled(connections.map(redis => redis.connect()));
  await Promise.race([connecting, late]);
  cancel();
}
