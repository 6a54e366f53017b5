import type { PathSettings } from "./network.ts";

/** What happens to a path while viewers watch. */
export interface Scenario {
  readonly name: string;
  /** How long is watched after the first picture, seconds. */
  readonly seconds: number;
  /** Viewers behind the same bottleneck; default 1. */
  readonly viewers?: number;
  /** What happens when, seconds after the first picture; what is at 0 is there from the beginning. */
  readonly steps: readonly Step[];
}

export interface Step {
  readonly atSeconds: number;
  readonly path?: PathSettings;
  /** The node sees viewers at other addresses from now on. */
  readonly move?: boolean;
  /** What each viewer is sent counts from now on. */
  readonly count?: boolean;
}

const HOME = { delayMs: 15 };

/** One path from begin to end. */
function steady(name: string, path: PathSettings, rest: Partial<Scenario> = {}): Scenario {
  return { name, seconds: 8, steps: [{ atSeconds: 0, path }], ...rest };
}

export const SCENARIOS = {
  clean: steady("a clean path", { down: HOME, up: HOME }),
  loss: steady("5 % lost at random", { down: { ...HOME, loss: 0.05 }, up: HOME }),
  bursts: steady("10 % lost in bursts", { down: { ...HOME, burst: { begin: 0.012, end: 0.11 } }, up: HOME }),
  jitter: steady("jitter and reordering", {
    down: { delayMs: 30, jitterMs: 15, reorder: 0.02 },
    up: { delayMs: 30, jitterMs: 15, reorder: 0.02 },
  }),
  rough: steady("jitter, reordering and loss", {
    down: { delayMs: 30, jitterMs: 15, reorder: 0.02, loss: 0.03 },
    up: { delayMs: 30, jitterMs: 15, reorder: 0.02 },
  }),
  narrow: steady("200 kbit/s", { down: { ...HOME, rateBps: 200_000 }, up: HOME }, { seconds: 12 }),
  shared: {
    name: "three viewers on 6 Mbit/s",
    seconds: 40,
    viewers: 3,
    steps: [
      { atSeconds: 0, path: { down: { ...HOME, rateBps: 6_000_000 }, up: HOME } },
      // Until then they find each other, as in virtual time.
      { atSeconds: 10, count: true },
    ],
  },
  squeezed: {
    name: "5 Mbit/s, 900 kbit/s, 5 Mbit/s",
    seconds: 24,
    steps: [
      { atSeconds: 0, path: { down: { ...HOME, rateBps: 5_000_000 }, up: HOME } },
      { atSeconds: 5, path: { down: { ...HOME, rateBps: 900_000 } } },
      { atSeconds: 13, path: { down: { ...HOME, rateBps: 5_000_000 } } },
    ],
  },
  crossed: {
    name: "other traffic of 4 on 5 Mbit/s",
    seconds: 14,
    steps: [
      { atSeconds: 0, path: { down: { ...HOME, rateBps: 5_000_000 }, up: HOME } },
      { atSeconds: 3, path: { down: { ...HOME, rateBps: 5_000_000, crossBps: 4_000_000 } } },
      { atSeconds: 8, path: { down: { ...HOME, rateBps: 5_000_000 } } },
    ],
  },
  moved: {
    name: "a change of address",
    // A browser checks its path every 2.5 s, and the node follows its next check.
    seconds: 14,
    steps: [
      { atSeconds: 0, path: { down: HOME, up: HOME } },
      { atSeconds: 3, move: true },
    ],
  },
} satisfies Readonly<Record<string, Scenario>>;
