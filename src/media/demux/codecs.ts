import { EncodedPacketSink, type InputTrack } from "mediabunny";
import type { AudioCodec, VideoCodec } from "../types.ts";

const VIDEO: Readonly<Record<string, VideoCodec>> = {
  avc: "h264",
  hevc: "h265",
  vp8: "vp8",
  vp9: "vp9",
  av1: "av1",
  prores: "prores",
};

const AUDIO: Readonly<Record<string, AudioCodec>> = {
  aac: "aac",
  opus: "opus",
  mp3: "mp3",
  vorbis: "vorbis",
  flac: "flac",
  ac3: "ac3",
  eac3: "eac3",
  ulaw: "pcm",
  alaw: "pcm",
};

/** Names that containers use for codecs the demuxer has no name for. */
const VIDEO_BY_CONTAINER_NAME: Readonly<Record<string, VideoCodec>> = {
  mp4v: "mpeg4",
  "V_MPEG4/ISO/ASP": "mpeg4",
  "V_MPEG4/ISO/SP": "mpeg4",
  V_MPEG2: "mpeg2",
  V_PRORES: "prores",
};

/** Codecs of covers; MP4 knows JPEG under the name of MPEG-4 Visual too. */
const PICTURES: ReadonlySet<string> = new Set([
  "jpeg",
  "mp4v",
  "mjpa",
  "mjpb",
  "mjpg",
  "png ",
  "png",
  "V_MJPEG",
  "tiff",
  "gif ",
]);

/** The container's own name of a track's codec. */
async function containerName(track: InputTrack): Promise<string> {
  const id = await track.getInternalCodecId();
  return typeof id === "string" ? id : "";
}

export async function videoCodecOf(track: InputTrack): Promise<VideoCodec> {
  const codec = await track.getCodec();
  if (codec !== null) return VIDEO[codec] ?? "unknown";
  return VIDEO_BY_CONTAINER_NAME[await containerName(track)] ?? "unknown";
}

export async function audioCodecOf(track: InputTrack): Promise<AudioCodec> {
  const codec = await track.getCodec();
  if (codec === null) return (await containerName(track)) === "alac" ? "alac" : "unknown";
  return codec.startsWith("pcm-") ? "pcm" : (AUDIO[codec] ?? "unknown");
}

/** True for a "video" track that is a still picture: of a kind that covers have, and alone. */
export async function isPicture(track: InputTrack): Promise<boolean> {
  if ((await track.getCodec()) !== null || !PICTURES.has(await containerName(track))) return false;
  const sink = new EncodedPacketSink(track);
  const first = await sink.getFirstPacket({ metadataOnly: true });
  return first === null || (await sink.getNextPacket(first, { metadataOnly: true })) === null;
}
