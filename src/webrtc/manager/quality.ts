import type { MediaInfo } from "../../media/index.ts";
import type { QualityController } from "../types.ts";

/** The controller of content with one quality: it is sent as it is, or as it was transcoded. */
export function createFixedQuality(): QualityController {
  return {
    level: () => "auto",
    set: (_sessionId, quality) => {
      if (quality === "auto") return { success: true };
      const reason = "this content has one quality, which is sent as it is";
      return { success: false, reason };
    },
    forget: () => undefined,
  };
}

/** Picture size, frame rate and bitrate that a session has, in the terms of the signalling's presets. */
export function qualitySettings(info: MediaInfo): Readonly<Record<string, number | undefined>> {
  const video = info.tracks.find(track => track.kind === "video");
  const bitrate = info.tracks.reduce((sum, track) => sum + (track.bitrateBps ?? 0), 0);
  if (video?.kind !== "video") return { bitrate };
  return { width: video.width, height: video.height, framerate: video.frameRate, bitrate };
}
