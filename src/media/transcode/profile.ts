import type { DemuxedTrack } from "../demux/track.ts";
import { TRANSCODE_MAX_LONG_SIDE, TRANSCODE_MAX_SHORT_SIDE, TRANSCODE_MAX_SOURCE_PIXELS } from "../limits.ts";
import type { AudioTrackInfo, RenditionInfo, TrackInfo, VideoTrackInfo } from "../types.ts";
import { GOP_SECONDS } from "./jobs/gop.ts";
import type { DecoderSpec, LiveJobSpec } from "./protocol.ts";

/** Bits per second at 1280 × 720; smaller pictures get their share. */
const FULL_BITRATE_BPS = 2_500_000;
const LEAST_BITRATE_BPS = 400_000;
const AUDIO_BITRATE_BPS = 96_000;

/** Most pictures per second that a live transcode makes; of faster sources some are left out. */
const MAX_FRAME_RATE = 30;

/** Pictures per second above which a source counts as faster. */
const FAST_FRAME_RATE = 31;

/** What a track is transcoded to. */
export interface TranscodeProfile {
  readonly info: RenditionInfo;
  readonly spec: (fromUs: number) => LiveJobSpec;
}

/** The one profile of a live transcode of `track`; undefined when its pictures are too large to decode live. */
export function profileOf(info: TrackInfo, track: DemuxedTrack, tempo = 1): TranscodeProfile | undefined {
  const { description, flavour, libraryCodec } = track.setup;
  const decoder: DecoderSpec = {
    codec: info.codec,
    flavour,
    codecString: info.codecString ?? "",
    ...(description === undefined ? {} : { description }),
    ...(libraryCodec === undefined ? {} : { libraryCodec }),
    width: info.kind === "video" ? info.codedWidth : 0,
    height: info.kind === "video" ? info.codedHeight : 0,
    channels: info.kind === "audio" ? info.channels : 0,
    sampleRate: info.kind === "audio" ? info.sampleRate : 0,
  };
  return info.kind === "video" ? videoProfile(info, decoder) : audioProfile(info, decoder, tempo);
}

function audioProfile(info: AudioTrackInfo, decoder: DecoderSpec, tempo: number): TranscodeProfile {
  return {
    info: {
      id: tempo === 1 ? "opus" : `opus-x${tempo}`,
      kind: "audio",
      codec: "opus",
      width: 0,
      height: 0,
      rotation: 0,
      frameRate: undefined,
      channels: 2,
      bitrateBps: AUDIO_BITRATE_BPS,
      verdict: info.verdict,
    },
    spec: fromUs => ({ kind: "audio", decoder, fromUs, tempo, bitrateBps: AUDIO_BITRATE_BPS }),
  };
}

function videoProfile(info: VideoTrackInfo, decoder: DecoderSpec): TranscodeProfile | undefined {
  if (info.codedWidth * info.codedHeight > TRANSCODE_MAX_SOURCE_PIXELS) return undefined;
  const { width, height } = fittingSize(info);
  const sourceRate = info.frameRate ?? MAX_FRAME_RATE;
  const fast = sourceRate > FAST_FRAME_RATE;
  const share = (width * height) / (TRANSCODE_MAX_LONG_SIDE * TRANSCODE_MAX_SHORT_SIDE);
  const maxBitrateBps = Math.max(LEAST_BITRATE_BPS, Math.round(FULL_BITRATE_BPS * share));
  const frameRate = fast ? MAX_FRAME_RATE : sourceRate;
  return {
    info: {
      id: `h264-${Math.min(width, height)}p`,
      kind: "video",
      codec: "h264",
      width,
      height,
      rotation: 0,
      frameRate,
      channels: 0,
      bitrateBps: maxBitrateBps,
      verdict: info.verdict,
    },
    spec: fromUs => ({
      kind: "video",
      decoder,
      fromUs,
      width,
      height,
      rotation: info.rotation,
      mirrored: info.mirrored,
      frameRate,
      minFrameGapUs: fast ? 1e6 / FAST_FRAME_RATE - 1000 : 0,
      gopUs: GOP_SECONDS * 1e6,
      maxBitrateBps,
    }),
  };
}

/** Size of the pictures as displayed: turned, square pixels, even, not larger than the source or the limit. */
export function fittingSize({ width, height }: Pick<VideoTrackInfo, "width" | "height">): {
  readonly width: number;
  readonly height: number;
} {
  const long = Math.max(2, width, height);
  const short = Math.max(2, Math.min(width, height));
  const scale = Math.min(1, TRANSCODE_MAX_LONG_SIDE / long, TRANSCODE_MAX_SHORT_SIDE / short);
  const even = (pixels: number): number => Math.max(2, Math.floor(Math.round(pixels * scale) / 2) * 2);
  return { width: even(width), height: even(height) };
}
