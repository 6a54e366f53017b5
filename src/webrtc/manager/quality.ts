import type { Ladder, MediaInfo } from "../../media/index.ts";
import type { QualityController, QualityLevel } from "../types.ts";

/** Levels from the least demanding up. A rendition that bears no level's name is the source, which stands above all. */
const LEVELS: readonly QualityLevel[] = ["very_low", "low", "medium", "high", "very_high"];

/**
 * The controller of one session of prepared content: a level is the rendition of that name, or the next one above it that
 * there is, or the best. It takes over at the next keyframe.
 */
export function createLadderQuality(
  ladder: Ladder,
  trackId: string,
  first: QualityLevel = "auto",
): QualityController {
  let level = first;
  const choose = (quality: QualityLevel): void => {
    const names = ladder.names(trackId);
    const fitting = names.find(name => rankOf(name) >= rankOf(quality)) ?? names.at(-1) ?? "auto";
    ladder.choose(trackId, quality === "auto" ? "auto" : fitting);
    level = quality;
  };
  choose(first);
  return {
    level: () => level,
    levels: () => levelsOf(ladder.names(trackId)),
    set: (_sessionId, quality) => {
      choose(quality);
      return { success: true };
    },
    forget: () => undefined,
  };
}

/** The levels that lead to a rendition of their own; the source above all of them is the highest. */
function levelsOf(names: readonly string[]): QualityLevel[] {
  if (names.length < 2) return [];
  const above = names.some(name => rankOf(name) === LEVELS.length) ? LEVELS.at(-1) : undefined;
  return ["auto", ...LEVELS.filter(level => names.includes(level) || level === above)];
}

function rankOf(name: string): number {
  const at = LEVELS.findIndex(known => known === name);
  return at < 0 ? LEVELS.length : at;
}

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
export function qualitySettings(info: MediaInfo): Readonly<Record<string, number | undefined>> {
  const video = info.tracks.find(track => track.kind === "video");
  const bitrate = info.tracks.reduce((sum, track) => sum + (track.bitrateBps ?? 0), 0);
  if (video?.kind !== "video") return { bitrate };
  return { width: video.width, height: video.height, framerate: video.frameRate, bitrate };
}
