/** How long to wait before each further try. */
export interface BackoffInit {
  /** Wait before the first retry, milliseconds. */
  readonly initialMs: number;
  /** Longest wait, milliseconds. */
  readonly maxMs: number;
  /** Growth from one wait to the next. */
  readonly factor?: number;
  /** Share of each wait that is random, 0 to 1. */
  readonly jitter?: number;
  /** Source of randomness in [0, 1); injected in tests. */
  readonly random?: () => number;
}

/** The wait before retry number `attempt` (0 is the first), milliseconds, capped and jittered. */
export function backoffMs(attempt: number, init: BackoffInit): number {
  const { initialMs, maxMs, factor = 2, jitter = 0.2, random = Math.random } = init;
  const base = Math.min(maxMs, initialMs * factor ** attempt);
  return Math.min(maxMs, base * (1 - jitter + 2 * jitter * random()));
}
