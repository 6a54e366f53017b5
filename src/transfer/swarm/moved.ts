import { isCidcastError } from "../../core/index.ts";

/** True when a stream ended because its owner is to open it anew: its peer moves to a better connection and has not failed. */
export function isMoved(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (isCidcastError(cause) && cause.details?.["moved"] === true) return true;
  }
  return false;
}
