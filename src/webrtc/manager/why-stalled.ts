import type { MediaSource } from "../../media/index.ts";
import { type StallReport, stallReport } from "../quality/stall-report.ts";
import type { QualityDecision } from "../quality/types.ts";
import type { SessionStats } from "../thread/messages.ts";

export interface WhyStalledInit {
  readonly id: string;
  readonly source: MediaSource;
  readonly cid: string;
  readonly connectionState: string;
  /** Tracks that the session carries. */
  readonly trackIds: readonly string[];
  readonly nowMs: number;
}

/** The cause of a session's stall, from what its media thread measures and has decided. */
export function whyStalled(
  { id, cid, source, connectionState, trackIds, nowMs }: WhyStalledInit,
  measured: SessionStats,
  log: readonly QualityDecision[],
): StallReport {
  const sent = source.info.tracks.filter(track => trackIds.includes(track.id));
  const video = sent.find(({ kind }) => kind === "video")?.id ?? "";
  const rungs = video === "" ? [] : (source.ladder?.rungs(video) ?? []);
  const rung = rungs.find(({ name }) => name === measured.rung);
  const needs = sent.map(
    track => (track.id === video ? rung?.bitrateBps : undefined) ?? track.bitrateBps ?? 0,
  );
  return stallReport(
    {
      ...measured,
      id,
      cid,
      connectionState,
      playbackState: measured.playback.state,
      neededBps: needs.reduce((sum, bps) => sum + bps, 0),
      lossShare: measured.packetLoss,
      transcoded: sent.some(track => track.verdict.mode === "transcode"),
      nowMs,
    },
    log,
  );
}
