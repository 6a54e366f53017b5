import { CidcastError, type Clock, type EventBus, type Logger } from "../core/index.ts";
import type { Parts } from "./parts.ts";
import type { NodeEvents } from "./shared.ts";

/** Time after which who is turned away may ask again, seconds: by then another node has its place. */
const RETRY_SECONDS = 5;

/** Lets viewers finish before the node stops. */
export interface Drain {
  /** `SHUTTING_DOWN` once the node is about to stop. */
  admit(): void;
  /** Takes no new viewers, says so, and resolves when the last has gone or the time is up. */
  begin(timeoutMs: number): Promise<void>;
}

export function createDrain(init: {
  readonly viewers: () => number;
  readonly events: EventBus<NodeEvents>;
  readonly parts: Parts;
  readonly clock: Clock;
  readonly log: Logger;
}): Drain {
  const { viewers, events, parts, clock, log } = init;
  let draining = false;
  return {
    admit() {
      if (!draining) return;
      throw new CidcastError("SHUTTING_DOWN", "The node is stopping and takes no new viewers", {
        retryAfterSeconds: RETRY_SECONDS,
      });
    },
    async begin(timeoutMs) {
      draining = true;
      const seconds = Math.ceil(timeoutMs / 1000);
      parts.draining(`the node stops within ${seconds} s`);
      events.publish("system_warning", {
        message: `The node stops within ${seconds} s`,
        code: "SHUTTING_DOWN",
      });
      if (viewers() === 0 || timeoutMs === 0) return;
      log.info({ viewers: viewers(), timeoutMs }, "viewers may finish");
      const { promise: over, resolve: end } = Promise.withResolvers<void>();
      const unfollow = events.on("webrtc_connection_closed", () => {
        // The session that is told of is counted no more.
        if (viewers() === 0) end();
      });
      const cancel = clock.after(timeoutMs, end);
      await over;
      cancel();
      unfollow();
      log.info({ viewers: viewers() }, "viewers had their time");
    },
  };
}
