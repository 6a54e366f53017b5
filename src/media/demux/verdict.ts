import type { AudioCodec, TrackVerdict, VideoCodec } from "../types.ts";
import type { Sps } from "./sps.ts";

/** How codecs are called in front of people. */
const NAMES: Readonly<Record<VideoCodec | AudioCodec, string>> = {
  h264: "H.264",
  h265: "H.265",
  vp8: "VP8",
  vp9: "VP9",
  av1: "AV1",
  mpeg1: "MPEG-1",
  mpeg2: "MPEG-2",
  mpeg4: "MPEG-4 Visual",
  msmpeg4: "MS MPEG-4",
  h263: "H.263",
  flv1: "Sorenson H.263",
  vp6: "VP6",
  theora: "Theora",
  mjpeg: "Motion JPEG",
  wmv: "Windows Media Video",
  vc1: "VC-1",
  dv: "DV",
  dnxhd: "DNxHD",
  prores: "ProRes",
  ffv1: "FFV1",
  opus: "Opus",
  aac: "AAC",
  mp2: "MP2",
  mp3: "MP3",
  ac3: "AC-3",
  eac3: "E-AC-3",
  flac: "FLAC",
  vorbis: "Vorbis",
  alac: "ALAC",
  dts: "DTS",
  truehd: "TrueHD",
  amr: "AMR",
  speex: "Speex",
  adpcm: "ADPCM",
  wavpack: "WavPack",
  pcm: "PCM",
  unknown: "unknown codec",
};

/** What a verdict on a picture track rests on. */
export interface VideoFacts {
  readonly codec: VideoCodec;
  /** False when the demuxer cannot say how the decoder is set up. */
  readonly decodable: boolean;
  readonly bFrames: boolean;
  readonly squarePixels: boolean;
  /** Degrees clockwise to display. */
  readonly rotation: 0 | 90 | 180 | 270;
  /** Mirrored left to right once it is turned. */
  readonly mirrored: boolean;
  /** Codec with profile as in RFC 6381, where known. */
  readonly codecString: string | undefined;
  /** H.264 only. */
  readonly sps: Sps | undefined;
}

const passthrough = (reason: string): TrackVerdict => ({ mode: "passthrough", reason });
const transcode = (reason: string): TrackVerdict => ({ mode: "transcode", reason });
const unplayable = (reason: string): TrackVerdict => ({ mode: "unplayable", reason });

/** What happens to a picture track, and why. */
export function videoVerdict(facts: VideoFacts): TrackVerdict {
  const name = NAMES[facts.codec];
  if (facts.codec === "unknown") return unplayable("The video codec is not one this node knows");
  if (!facts.decodable) return unplayable(`${name}: the file does not say how to decode it`);
  const why = facts.codec === "h264" ? h264Objection(facts) : profileObjection(facts);
  if (why !== undefined) return transcode(`${why}, encoded anew to H.264`);
  const carried = facts.codec === "h264" || ["vp8", "vp9", "av1"].includes(facts.codec);
  if (!carried) return transcode(`${name}: browsers take none over WebRTC, encoded anew to H.264`);
  if (!facts.squarePixels) return transcode(`${name} with non-square pixels: encoded anew to H.264 in shape`);
  if (facts.rotation !== 0) {
    return transcode(
      `${name} to be turned by ${facts.rotation}°: browsers are not told, encoded anew upright`,
    );
  }
  if (facts.mirrored) {
    return transcode(`${name} to be mirrored: browsers are not told, encoded anew the right way round`);
  }
  return passthrough(
    facts.codec === "h264" ? "H.264 without B-frames: sent as it is" : `${name}: sent as it is`,
  );
}

/** Why a browser cannot take this H.264 over WebRTC. */
function h264Objection({ bFrames, sps }: VideoFacts): string | undefined {
  if (bFrames) return "H.264 with B-frames: WebRTC plays none";
  if (sps === undefined) return undefined;
  if (sps.bitDepth > 8) return `H.264 with ${sps.bitDepth} bits: browsers decode 8`;
  if (sps.chromaFormatIdc !== 1)
    return "H.264 with other colour sampling than 4:2:0: browsers do not decode it";
  if (!sps.framesOnly) return "Interlaced H.264: browsers do not take the lines apart";
  return undefined;
}

/** Why a browser cannot take this VP9 or AV1: over WebRTC it decodes the main profile with 8 bits. */
function profileObjection({ codec, codecString = "" }: VideoFacts): string | undefined {
  const vp9 = /^vp09\.(\d\d)/.exec(codecString)?.[1] ?? "00";
  if (codec === "vp9" && vp9 !== "00") return `VP9 of profile ${Number(vp9)}: browsers take 8 bits of 4:2:0`;
  const [, profile = "0", bits = "08"] = /^av01\.(\d)\.\w+\.(\d\d)/.exec(codecString) ?? [];
  if (codec === "av1" && (profile !== "0" || bits !== "08")) {
    return `AV1 with ${Number(bits)} bits in profile ${profile}: browsers take 8 bits of 4:2:0`;
  }
  return undefined;
}

/** What happens to a sound track, and why. */
export function audioVerdict(codec: AudioCodec, decodable: boolean, channels: number): TrackVerdict {
  const name = NAMES[codec];
  if (codec === "unknown") return unplayable("The audio codec is not one this node knows");
  if (!decodable) return unplayable(`${name}: the file does not say how to decode it`);
  if (codec !== "opus") return transcode(`${name}: browsers take none over WebRTC, encoded to Opus`);
  if (channels > 2) return transcode(`Opus with ${channels} channels: mixed down to stereo`);
  return passthrough("Opus: sent as it is");
}
