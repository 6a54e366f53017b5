import { CidcastError, type Clock } from "../../core/index.ts";
import { FAILED_ATTEMPT_RECOVERY_MS, MAX_FAILED_ATTEMPTS } from "../limits.ts";
import { Buckets, type Rate } from "./buckets.ts";

const RATE: Rate = { capacity: MAX_FAILED_ATTEMPTS, perSecond: 1000 / FAILED_ATTEMPT_RECOVERY_MS };

/** Slows down who tries tokens or keys: failures are counted per address, successes are free. */
export interface GuessGuard {
  /** `LIMIT_REACHED` when the address has failed too often. */
  check(remoteAddress: string | undefined): void;
  failed(remoteAddress: string | undefined): void;
}

export function createGuessGuard(clock: Clock): GuessGuard {
  const buckets = new Buckets(clock);
  const key = (address: string | undefined): string => address ?? "unknown";
  return {
    check(address) {
      const retryAfterSeconds = buckets.wait(key(address), RATE);
      if (retryAfterSeconds > 0) {
        throw new CidcastError("LIMIT_REACHED", "Too many failed attempts: try again later", {
          retryAfterSeconds,
        });
      }
    },
    failed(address) {
      buckets.take(key(address), RATE);
    },
  };
}
