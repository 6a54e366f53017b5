import type { TrackInfo, VideoTrackInfo } from "../types.ts";

/** Names of the presets, from the smallest up. */
export const PRESET_NAMES = ["very_low", "low", "medium", "high", "very_high"] as const;
export type PresetName = (typeof PRESET_NAMES)[number];

/** Codecs that ladders are made in. */
export const LADDER_CODECS = ["h264", "vp9", "av1"] as const;
export type LadderCodec = (typeof LADDER_CODECS)[number];

/** A rung as it is asked for: the box it has to fit, its rate and its pictures per second at most. */
export interface Preset {
  readonly name: PresetName;
  readonly width: number;
  readonly height: number;
  readonly bitrateBps: number;
  readonly maxFrameRate: number;
}

/** What the names stand for: those of the wire format of quality requests. */
const PRESETS: readonly Preset[] = [
  { name: "very_low", width: 320, height: 240, bitrateBps: 250_000, maxFrameRate: 15 },
  { name: "low", width: 640, height: 360, bitrateBps: 500_000, maxFrameRate: 20 },
  { name: "medium", width: 854, height: 480, bitrateBps: 1_000_000, maxFrameRate: 30 },
  { name: "high", width: 1280, height: 720, bitrateBps: 2_500_000, maxFrameRate: 30 },
  { name: "very_high", width: 1920, height: 1080, bitrateBps: 4_500_000, maxFrameRate: 30 },
];

/** A rate above the limit by less than this share is the limit, told roughly: 30.3 is no reason to leave pictures out. */
const RATE_TOLERANCE = 1.05;

/** A source that passes through is a rung of its size while it needs at most so many times the preset's rate. */
const SOURCE_RATE_FACTOR = 1.5;

/** Rate taken for a source that does not tell its own, pictures per second. */
const UNKNOWN_FRAME_RATE = 30;

/** A rung as it is made. */
export interface Rung {
  readonly name: PresetName;
  readonly width: number;
  readonly height: number;
  /** Pictures per second that come out. */
  readonly frameRate: number;
  /** Pictures of one second at most; 0: all of them. */
  readonly maxFramesPerSecond: number;
  readonly bitrateBps: number;
}

type Source = Pick<VideoTrackInfo, "codec" | "width" | "height" | "frameRate" | "bitrateBps" | "verdict">;

export interface LadderOptions {
  /** Presets that are wanted; undefined: all that fit. */
  readonly presets?: readonly PresetName[] | undefined;
  /** Default H.264, which every browser takes. */
  readonly codec?: LadderCodec | undefined;
}

/**
 * The rungs of a source: each preset fitted into its box with the source's aspect, never larger than the source, none
 * twice. Without `presets` all of them up to the source's own size, but for that size itself where the source passes
 * through in the same codec at a like rate.
 */
export function ladderOf(source: Source, { presets, codec = "h264" }: LadderOptions = {}): Rung[] {
  const rungs: Rung[] = [];
  for (const preset of PRESETS) {
    if (presets !== undefined && !presets.includes(preset.name)) continue;
    const rung = fitted(source, preset);
    if (rungs.some(other => other.width === rung.width && other.height === rung.height)) continue;
    if (presets === undefined && source.codec === codec && sourceServesAs(source, rung)) continue;
    rungs.push(rung);
  }
  return rungs;
}

function fitted(source: Source, preset: Preset): Rung {
  // An upright picture stands in a box that is turned with it.
  const upright = source.height > source.width;
  const [boxWidth, boxHeight] = upright ? [preset.height, preset.width] : [preset.width, preset.height];
  const scale = Math.min(1, boxWidth / source.width, boxHeight / source.height);
  const even = (pixels: number): number => Math.max(2, Math.floor(Math.round(pixels * scale) / 2) * 2);
  const sourceRate = source.frameRate ?? UNKNOWN_FRAME_RATE;
  const fast = sourceRate > preset.maxFrameRate * RATE_TOLERANCE;
  return {
    name: preset.name,
    width: even(source.width),
    height: even(source.height),
    frameRate: fast ? preset.maxFrameRate : sourceRate,
    maxFramesPerSecond: fast ? preset.maxFrameRate : 0,
    bitrateBps: preset.bitrateBps,
  };
}

function sourceServesAs(source: Source, rung: Rung): boolean {
  if (source.verdict.mode !== "passthrough") return false;
  if (rung.width < source.width - 1 || rung.height < source.height - 1) return false;
  return source.bitrateBps !== undefined && source.bitrateBps <= rung.bitrateBps * SOURCE_RATE_FACTOR;
}

/** Bytes that a ladder will take at most, about: for the check of the disk. */
export function ladderBytes(
  tracks: readonly TrackInfo[],
  rungs: readonly Pick<Rung, "bitrateBps">[],
  audioBitrateBps: number,
): number {
  let bits = 0;
  for (const track of tracks) {
    const copied = track.verdict.mode === "passthrough" ? (track.bitrateBps ?? 0) : 0;
    const made = track.kind === "audio" ? audioBitrateBps : rungs.reduce((sum, r) => sum + r.bitrateBps, 0);
    bits += (copied + made) * track.durationSeconds;
  }
  return Math.ceil(bits / 8);
}
