import type { Played, ViewerFigures } from "./play.ts";
import type { SCENARIOS } from "./scenarios.ts";

/** What a scenario is held to; milliseconds are those of a machine that does nothing else. */
interface Bounds {
  readonly longestFreezeMs?: number;
  readonly longestSilenceMs?: number;
  /** Pictures of the last two seconds, at least. */
  readonly lastFrames?: number;
  /** The most that one viewer is sent, as a multiple of what another is. */
  readonly factor?: number;
  /** Share of packets that must have been lost for this to say anything. */
  readonly lossShare?: number;
}

export const BOUNDS = {
  loss: { lossShare: 0.03, longestFreezeMs: 200 },
  bursts: { lossShare: 0.04, longestFreezeMs: 1500, longestSilenceMs: 1000 },
  jitter: { longestFreezeMs: 200 },
  rough: { longestFreezeMs: 300 },
  narrow: { longestSilenceMs: 2000 },
  shared: { factor: 1.5 },
  squeezed: { longestSilenceMs: 2000, lastFrames: 20 },
  crossed: { longestSilenceMs: 2000, lastFrames: 20 },
  moved: { longestFreezeMs: 4000, lastFrames: 20 },
} satisfies Partial<Record<keyof typeof SCENARIOS, Bounds>>;

export const BOUND_NAMES = Object.keys(BOUNDS) as (keyof typeof BOUNDS)[];

/** Bounds that were not held, in words; `hinderedMs`: what the machine itself stalled, allowed for twice, there and back. */
export function broken(bounds: Bounds, played: Played, hinderedMs: number): string[] {
  const complaints: string[] = [];
  const within = (what: string, value: number, most: number): void => {
    if (!(value <= most)) complaints.push(`${what}: ${value.toFixed(2)} is more than ${most.toFixed(2)}`);
  };
  const { shares } = played;
  if (bounds.factor !== undefined) within("factor", Math.max(...shares) / Math.min(...shares), bounds.factor);
  if (bounds.lossShare !== undefined) within("needed loss", bounds.lossShare, played.lossShare);
  if (played.viewers.length === 0) complaints.push("nobody watched");
  for (const viewer of played.viewers) {
    if (viewer.state !== "connected") complaints.push(`a viewer is ${viewer.state}`);
    for (const key of ["longestFreezeMs", "longestSilenceMs"] as const) {
      const most = bounds[key];
      if (most !== undefined) within(key, viewer[key], most + 2 * hinderedMs);
    }
    within("needed pictures at the end", bounds.lastFrames ?? 0, viewer.lastFrames);
  }
  return complaints;
}

/** Longest time without a new picture on a clean path beyond three pictures, ms: what the machine itself does. */
export function hindranceMs({ longestFreezeMs }: ViewerFigures): number {
  return Math.max(0, longestFreezeMs - 100);
}
