import type { LadderRung, MediaInfo } from "../../media/index.ts";
import type { SessionStats } from "../thread/messages.ts";
import { AHEAD_SECONDS } from "../player/track-queue.ts";
import type { StallEntry } from "../quality/stall-report.ts";
import { levelOfRung } from "./levels.ts";
import { networkScore } from "./network-score.ts";
import { qualitySettings } from "./quality.ts";

/** What the manager itself knows of a session. */
export interface SessionFacts {
  readonly createdAtMs: number;
  readonly cid: string;
  readonly kind: "video" | "audio";
  readonly info: MediaInfo;
  readonly quality: string;
  readonly qualityChangedAtMs: number;
  readonly state: string;
  readonly candidates: number;
  readonly answered: boolean;
  /** The rung that is shown; undefined where there is one quality. */
  readonly rung: LadderRung | undefined;
  readonly decisions: readonly StallEntry[];
  /** How many pictures the encoder leaves out to keep up. */
  readonly paceLevel: number;
  /** The viewer's candidates, by type. */
  readonly candidateTypes: Readonly<Record<"host" | "srflx" | "prflx" | "relay", number>>;
  readonly times: SessionTimes;
}

/** How long opening a session took, ms; undefined: it is not that far. */
export interface SessionTimes {
  /** From the request to our offer, which holds all our candidates. */
  readonly offerMs: number | undefined;
  /** From the answer to the connection. */
  readonly connectMs: number | undefined;
  /** From the request to the first packet of media. */
  readonly firstPacketMs: number | undefined;
}

/** Points that {@link qualityScore} takes off, worst first: above the figure, that many. */
const PENALTIES = {
  dropPercent: [
    [20, 50],
    [10, 30],
    [5, 15],
    [1, 5],
  ],
  rttMs: [
    [500, 20],
    [300, 10],
    [150, 5],
  ],
  lossPercent: [
    [10, 30],
    [5, 20],
    [2, 10],
  ],
} as const;

/** 0 to 100, as existing clients of the signalling compute it. */
export function qualityScore(dropPercent: number, rttMs: number, lossPercent: number): number {
  const points = (rows: readonly (readonly [number, number])[], value: number): number =>
    rows.find(([above]) => value > above)?.[1] ?? 0;
  const lost =
    points(PENALTIES.dropPercent, dropPercent) +
    points(PENALTIES.rttMs, rttMs) +
    points(PENALTIES.lossPercent, lossPercent);
  return Math.max(0, 100 - lost);
}

/** Fields of `connection_stats` in the signalling: times in seconds since 1970, rtt and jitter in ms, loss in percent. */
export function connectionStats(
  facts: SessionFacts,
  measured: SessionStats,
): Readonly<Record<string, unknown>> {
  const video = facts.info.tracks.find(track => track.kind === "video");
  const lossPercent = measured.packetLoss * 100;
  const rtt = measured.roundTripMs ?? 0;
  const bufferLevel = Math.min(1, measured.bufferedSeconds / AHEAD_SECONDS);
  return {
    created_at: facts.createdAtMs / 1000,
    state: facts.state,
    cid: facts.cid,
    kind: facts.kind,
    frame_rate: video?.kind === "video" ? (video.frameRate ?? 0) : 0,
    quality: facts.quality,
    ice_candidates_added: facts.candidates,
    streams_active: measured.streams,
    bytes_sent: measured.bytesSent,
    frames_sent: measured.framesSent,
    pictures_sent: measured.picturesSent,
    keyframes_sent: measured.keyframesSent,
    frames_dropped: measured.framesLate + measured.framesSkipped,
    last_quality_update: facts.qualityChangedAtMs / 1000,
    rtt,
    packet_loss: lossPercent,
    bandwidth_estimate: measured.estimateBps ?? measured.receivedBps ?? 0,
    bandwidth_received: measured.receivedBps ?? 0,
    bandwidth_limit: measured.limitBps === undefined ? 0 : Math.round(measured.limitBps),
    estimate_cause: measured.estimateCause,
    queue_delay: measured.queueMs,
    frames_skipped: measured.framesSkipped,
    jitter: measured.jitterMs ?? 0,
    connection_quality_score: qualityScore(lateShare(measured) * 100, rtt, lossPercent),
    buffer_health: Math.round(bufferLevel * 100),
    adaptation_changes: measured.rungChanges,
    dropped_frame_rate: lateShare(measured),
    ice_gathering_state: "complete",
    remote_description_set: facts.answered,
    buffer_level: bufferLevel,
    quality_level: facts.rung === undefined ? facts.quality : levelOfRung(facts.rung.name),
    quality_settings: qualitySettings(facts.info, facts.rung),
    rung: facts.rung?.name ?? null,
    pictures_paused: measured.picturesPaused,
    network_score: networkScore({
      rttMs: rtt,
      lossPercent,
      bandwidthBps: measured.estimateBps ?? measured.receivedBps ?? 0,
      jitterMs: measured.jitterMs ?? 0,
    }),
    supply: measured.supplyFactor ?? null,
    stalled_seconds: measured.stalledSeconds,
    played_seconds: measured.playedSeconds,
    decisions: facts.decisions,
    encoder_pace_level: facts.paceLevel,
    active: measured.connected,
    current_time: measured.playback.positionSeconds,
    duration: measured.playback.durationSeconds,
    ice_state: measured.iceState,
    playback_state: measured.playback.state,
    packets_sent: measured.packetsSent,
    packets_retransmitted: measured.retransmitted,
    nack_count: measured.nacks,
    keyframe_requests: measured.keyframeRequests,
    ice_candidate_types: { ...facts.candidateTypes },
    ice_gathering_time_ms: facts.times.offerMs ?? null,
    ice_connection_time_ms: facts.times.connectMs ?? null,
    first_frame_time_ms: facts.times.firstPacketMs ?? null,
  };
}

function lateShare(measured: SessionStats): number {
  const due = measured.framesSent + measured.framesSkipped;
  return due === 0 ? 0 : (measured.framesLate + measured.framesSkipped) / due;
}
