import type { AudioCodec, VideoCodec } from "../../types.ts";

/** Our names of the codecs that are decoded, by FFmpeg's. What is not named here is not decoded, whatever FFmpeg knows. */
const VIDEO: Readonly<Record<string, VideoCodec>> = {
  h264: "h264",
  hevc: "h265",
  vp8: "vp8",
  vp9: "vp9",
  av1: "av1",
  mpeg1video: "mpeg1",
  mpeg2video: "mpeg2",
  mpeg4: "mpeg4",
  msmpeg4v1: "msmpeg4",
  msmpeg4v2: "msmpeg4",
  msmpeg4v3: "msmpeg4",
  h263: "h263",
  h263p: "h263",
  flv1: "flv1",
  vp6: "vp6",
  vp6f: "vp6",
  theora: "theora",
  mjpeg: "mjpeg",
  wmv1: "wmv",
  wmv2: "wmv",
  wmv3: "wmv",
  vc1: "vc1",
  dvvideo: "dv",
  dnxhd: "dnxhd",
  prores: "prores",
  ffv1: "ffv1",
};

const AUDIO: Readonly<Record<string, AudioCodec>> = {
  opus: "opus",
  aac: "aac",
  mp1: "mp2",
  mp2: "mp2",
  mp3: "mp3",
  ac3: "ac3",
  eac3: "eac3",
  dts: "dts",
  truehd: "truehd",
  flac: "flac",
  vorbis: "vorbis",
  alac: "alac",
  amr_nb: "amr",
  amr_wb: "amr",
  speex: "speex",
  wavpack: "wavpack",
};

export function libraryVideoCodec(name: string): VideoCodec {
  return VIDEO[name] ?? "unknown";
}

export function libraryAudioCodec(name: string): AudioCodec {
  if (name.startsWith("pcm_")) return "pcm";
  return name.startsWith("adpcm_") ? "adpcm" : (AUDIO[name] ?? "unknown");
}
