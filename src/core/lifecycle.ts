import type { Logger } from "./logger.ts";

/** A part of the node that is started once and stopped once. Both are idempotent. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Why a handle is closed: by us, by the other side, with its parent, or by a failure. */
export type CloseReason = "local" | "remote" | "parent" | "error";

/** Longest that one service may take to stop before the next is stopped all the same, milliseconds. */
export const STOP_BUDGET_MS = 1500;

/** Starts services in order; when one fails, those already started are stopped and the error is thrown. */
export async function startAll(services: readonly Service[], log: Logger): Promise<void> {
  const started: Service[] = [];
  try {
    for (const service of services) {
      await service.start();
      started.push(service);
    }
  } catch (error) {
    await stopAll(started, log);
    throw error;
  }
}

/** Stops services in reverse order, each within its budget; one that fails or hangs does not keep the rest open. */
export async function stopAll(
  services: readonly Service[],
  log: Logger,
  budgetMs = STOP_BUDGET_MS,
): Promise<void> {
  for (const service of services.toReversed()) {
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const timer = setTimeout(() => resolve("late"), budgetMs);
    try {
      if ((await Promise.race([service.stop(), late])) === "late") {
        log.warn({ service: service.name, budgetMs }, "service did not stop in time");
      }
    } catch (error) {
      log.warn({ service: service.name, err: error }, "service failed to stop");
    } finally {
      clearTimeout(timer);
    }
  }
}
