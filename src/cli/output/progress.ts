import type { CliEnvironment } from "../environment.ts";
import { formatBytes, printable } from "./output.ts";

/** Shortest time between two drawings, milliseconds. */
const REDRAW_MS = 100;
const BAR_WIDTH = 24;
/** Columns where a terminal does not tell. */
const DEFAULT_COLUMNS = 80;

/** A bar on a terminal; nothing anywhere else. */
export interface Progress {
  update(bytes: number): void;
  /** Takes the bar away. */
  done(): void;
}

const silent: Progress = { update: () => undefined, done: () => undefined };

export function createProgress(
  { stderr }: CliEnvironment,
  init: { readonly label: string; readonly totalBytes: number | undefined; readonly quiet: boolean },
): Progress {
  if (init.quiet || stderr.isTTY !== true) return silent;
  const startedMs = performance.now();
  let drawnMs = Number.NEGATIVE_INFINITY;
  return {
    update(bytes) {
      const nowMs = performance.now();
      if (nowMs - drawnMs < REDRAW_MS) return;
      drawnMs = nowMs;
      const perSecond = bytes / Math.max(0.001, (nowMs - startedMs) / 1000);
      const line = progressLine(init.label, bytes, init.totalBytes, perSecond);
      stderr.write(`\r\u001b[K${line.slice(0, (stderr.columns ?? DEFAULT_COLUMNS) - 1)}`);
    },
    done() {
      if (drawnMs !== Number.NEGATIVE_INFINITY) stderr.write("\r\u001b[K");
    },
  };
}

/** What the bar says. */
export function progressLine(
  label: string,
  bytes: number,
  totalBytes: number | undefined,
  bytesPerSecond: number,
): string {
  const name = printable(label).replaceAll("\n", " ");
  const rate = `${formatBytes(Math.round(bytesPerSecond))}/s`;
  if (totalBytes === undefined || totalBytes === 0) return `${name}  ${formatBytes(bytes)}  ${rate}`;
  const share = Math.min(1, bytes / totalBytes);
  const full = Math.round(share * BAR_WIDTH);
  const bar = `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}`;
  return `${bar} ${String(Math.floor(share * 100)).padStart(3)}%  ${formatBytes(bytes)} of ${formatBytes(totalBytes)}  ${rate}  ${name}`;
}
