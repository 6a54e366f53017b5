import type { MediaSource } from "../../media/index.ts";
import type { QualityWish } from "../quality/types.ts";
import type { OpenSession, SessionQuality } from "../thread/messages.ts";
import type { SessionInit } from "../types.ts";
import { AdaptiveBitrateController } from "./adaptive-bitrate-controller.ts";
import type { ChosenTrack } from "./choose-tracks.ts";
import type { SessionTracks } from "./session-tracks.ts";

/** The controller of prepared content, which has several qualities; undefined for any other. */
export function adaptiveOf(
  { ladder, info, defaultTrackIds }: MediaSource,
  init: SessionInit,
  onWish: (wish: QualityWish) => void,
): AdaptiveBitrateController | undefined {
  const named = init.trackIds !== undefined && init.trackIds.length > 0 ? init.trackIds : defaultTrackIds;
  const sent = info.tracks.filter(({ id, kind }) => named.includes(id) && kind === (init.kind ?? kind));
  const video = sent.find(({ kind }) => kind === "video");
  if (ladder === undefined || video === undefined) return undefined;
  const otherBps = sent.reduce((sum, track) => sum + (track === video ? 0 : (track.bitrateBps ?? 0)), 0);
  const { quality: level, maxQuality, maxBitrateBps, view, bandwidthBps } = init;
  const limits = { maxQuality, maxBitrateBps, view, bandwidthBps };
  return new AdaptiveBitrateController({ ladder, trackId: video.id, level, otherBps, onWish, ...limits });
}

/** What a media thread is told of a session. */
// oxlint-disable-next-line max-params -- what the message is made of.
export function openMessage(
  id: string,
  tracks: SessionTracks,
  init: SessionInit & { readonly offerSdp: string | undefined },
  quality: SessionQuality,
): OpenSession {
  const { durationSeconds } = tracks;
  return {
    id,
    offerSdp: init.offerSdp,
    startSeconds: Math.min(Math.max(0, init.startSeconds ?? 0), durationSeconds),
    durationSeconds,
    tracks: tracks.hostTracks,
    greeting: tracks.greeting(),
    quality,
  };
}

/** Pictures of one quality. */
export function oneQuality(tracks: readonly ChosenTrack[], { bandwidthBps }: SessionInit): SessionQuality {
  const { info } = tracks.find(({ rendition }) => rendition.info.kind === "video")?.rendition ?? {};
  const rungs = [];
  if (info !== undefined) {
    const { id: name, width, height, bitrateBps = 0 } = info;
    rungs.push({ name, width, height, bitrateBps });
  }
  return { rungs, first: 0, wish: {}, bandwidthBps };
}
