import { AHEAD_SECONDS } from "../player/track-queue.ts";
import type { QualityDecision } from "../quality/types.ts";
import type { WebRTCEvents } from "../types.ts";
import { levelOfRung } from "./levels.ts";
import { networkScore } from "./network-score.ts";

/** What the event of a change tells. */
export function changeOf(
  about: { readonly pc_id: string; readonly cid: string },
  decision: QualityDecision,
): WebRTCEvents["webrtc_quality_changed"] {
  const { from, to, kind, reason, estimateBps, bufferedSeconds } = decision;
  const network_metrics = {
    rtt: decision.roundTripMs ?? 0,
    packet_loss: decision.lossShare * 100,
    bandwidth_estimate: estimateBps,
    jitter: decision.jitterMs ?? 0,
  };
  return {
    ...about,
    quality_level: levelOfRung(to ?? ""),
    previous_level: from === undefined ? undefined : levelOfRung(from),
    change: kind,
    reason,
    buffer_level: Math.min(1, bufferedSeconds / AHEAD_SECONDS),
    network_score: networkScore({
      rttMs: network_metrics.rtt,
      lossPercent: network_metrics.packet_loss,
      bandwidthBps: estimateBps,
      jitterMs: network_metrics.jitter,
    }),
    network_metrics,
  };
}
