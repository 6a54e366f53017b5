/** Figures of one series, ms. */
export interface Figures {
  readonly name: string;
  readonly runs: number;
  readonly p50: number;
  readonly p95: number;
  readonly min: number;
  readonly max: number;
}

/** Condenses a series of times. */
export function figuresOf(name: string, timesMs: readonly number[]): Figures {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { name, runs: sorted.length, p50: at(0.5), p95: at(0.95), min: at(0), max: at(1) };
}

/** A table for README files. */
export function tableOf(all: readonly Figures[]): string {
  const row = ({ name, runs, p50, p95, min, max }: Figures): string =>
    `| ${[name, String(runs), ...[p50, p95, min, max].map(ms => ms.toFixed(0))].join(" | ")} |`;
  return [
    "| series | runs | p50 ms | p95 ms | min | max |",
    "|---|---|---|---|---|---|",
    ...all.map(row),
  ].join("\n");
}
