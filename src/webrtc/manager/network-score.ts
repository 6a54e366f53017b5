/** Points taken off: from the first figure that is passed, worst first. */
const PENALTIES = {
  rttMs: [
    [500, 40],
    [300, 20],
    [200, 10],
    [100, 5],
  ],
  lossPercent: [
    [10, 50],
    [5, 30],
    [2, 15],
    [0.5, 5],
  ],
  jitterMs: [
    [200, 20],
    [100, 15],
    [50, 10],
    [20, 5],
  ],
} as const;
/** Below that rate so many points. */
const BANDWIDTH = [
  [500_000, 30],
  [1_000_000, 20],
  [2_500_000, 10],
  [5_000_000, 5],
] as const;

/** 0 to 100, as existing clients of the signalling weigh a path. It says nothing of how this node decides. */
export function networkScore(path: {
  readonly rttMs: number;
  readonly lossPercent: number;
  readonly bandwidthBps: number;
  readonly jitterMs: number;
}): number {
  const above = (rows: readonly (readonly [number, number])[], value: number): number =>
    rows.find(([figure]) => value > figure)?.[1] ?? 0;
  const narrow = BANDWIDTH.find(([figure]) => path.bandwidthBps < figure)?.[1] ?? 0;
  const off =
    above(PENALTIES.rttMs, path.rttMs) +
    above(PENALTIES.lossPercent, path.lossPercent) +
    above(PENALTIES.jitterMs, path.jitterMs);
  return Math.max(0, 100 - off - narrow);
}
