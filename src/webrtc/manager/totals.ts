import type { SessionTotals } from "../thread/messages.ts";
import { isLevel } from "./levels.ts";
import type { WebRTCMetrics } from "./metrics.ts";

/** Counts what a session came to. */
export function observeTotals(metrics: WebRTCMetrics, totals: SessionTotals): void {
  const { playedSeconds, stalledSeconds, estimateBps, rungSeconds } = totals;
  const wanted = playedSeconds + stalledSeconds;
  if (wanted > 0) metrics.stallShare.observe(stalledSeconds / wanted);
  if (estimateBps !== undefined) metrics.estimate.observe(estimateBps);
  const rungs = Object.entries(rungSeconds);
  for (const [rung, seconds] of rungs) {
    metrics.rungSeconds.add(seconds, { level: isLevel(rung) ? rung : "source" });
  }
}
