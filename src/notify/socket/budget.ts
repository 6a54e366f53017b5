import type { Clock } from "../../core/index.ts";

export interface BudgetInit {
  readonly burst: number;
  readonly perSecond: number;
}

/** Lets a caller act so often and no more: a bucket that fills with time. */
export function createBudget(init: BudgetInit, clock: Clock): { take(): boolean } {
  let tokens = init.burst;
  let at = clock.monotonicMs();
  return {
    take() {
      const now = clock.monotonicMs();
      tokens = Math.min(init.burst, tokens + ((now - at) / 1000) * init.perSecond);
      at = now;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
