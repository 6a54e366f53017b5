import type { LadderRung, MediaInfo, TrackInfo } from "../../media/index.ts";
import type { QualityController } from "../types.ts";

/** The controller of content with one quality: it is sent as it is, or as it was transcoded. */
export function createFixedQuality(): QualityController {
  return {
    level: () => "auto",
    levels: () => [],
    set: (_sessionId, quality) => {
      if (quality === "auto") return { success: true };
      const reason = "this content has one quality, which is sent as it is";
      return { success: false, reason };
    },
    forget: () => undefined,
  };
}

/** Picture size, frame rate and bitrate that a session has, in the terms of the signalling's presets. */
export function qualitySettings(
  info: MediaInfo,
  rung?: LadderRung,
): Readonly<Record<string, number | undefined>> {
  const video = info.tracks.find(track => track.kind === "video");
  const ofTrack = (track: TrackInfo): number =>
    (track === video ? rung?.bitrateBps : undefined) ?? track.bitrateBps ?? 0;
  const bitrate = info.tracks.reduce((sum, track) => sum + ofTrack(track), 0);
  if (video?.kind !== "video") return { bitrate };
  const { width, height, frameRate } = rung ?? video;
  return { width, height, framerate: frameRate, bitrate };
}
