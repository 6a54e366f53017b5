import { CidcastError } from "../../core/index.ts";
import type { AudioTrackInfo, MediaInfo, TrackInfo, VideoTrackInfo } from "../types.ts";
import type { MediaFile } from "./media-file.ts";
import { nalType, NAL_SPS, parseAvcConfig, splitAnnexB } from "./nal.ts";
import { samplePackets } from "./reorder.ts";
import { parseSps, type Sps } from "./sps.ts";
import type { DemuxedAudio, DemuxedTrack, DemuxedVideo } from "./track.ts";
import { audioVerdict, videoVerdict } from "./verdict.ts";

/** What a file holds, with the demuxer's track behind each entry. */
export interface Probed {
  readonly info: MediaInfo;
  readonly tracks: ReadonlyMap<string, DemuxedTrack>;
}

/** Finds out what `media` holds. `encoderMissing` says why nothing can be transcoded, where that is so. */
export async function probeFile(media: MediaFile, encoderMissing: string | undefined): Promise<Probed> {
  const infos: TrackInfo[] = [];
  const tracks = new Map<string, DemuxedTrack>();
  const notes: string[] = [];
  if (media.pictures > 0) notes.push("A still picture in the file is its cover, not a video track");
  let videos = 0;
  let audios = 0;
  for (const track of media.tracks) {
    const info =
      track.kind === "video"
        ? await videoInfo(`v${videos++}`, track)
        : await audioInfo(`a${audios++}`, track);
    infos.push(info);
    tracks.set(info.id, track);
    if (info.verdict.mode === "unplayable") notes.push(`${info.id}: ${info.verdict.reason}`);
  }
  if (infos.length === 0) {
    throw new CidcastError("UNSUPPORTED_MEDIA", `${media.file.cid} holds neither moving pictures nor sound`);
  }
  const modes = infos.map(info => info.verdict.mode);
  if (modes.includes("transcode") && encoderMissing !== undefined) notes.push(encoderMissing);
  const playable =
    modes.includes("passthrough") || (modes.includes("transcode") && encoderMissing === undefined);
  const durationSeconds = Math.max(0, ...infos.map(info => info.durationSeconds));
  return {
    info: { container: media.container, durationSeconds, tracks: infos, playable, notes },
    tracks,
  };
}

function common({ codecString, durationSeconds, bitrateBps, language }: DemuxedTrack) {
  return { codecString, durationSeconds, bitrateBps, language };
}

async function videoInfo(id: string, track: DemuxedVideo): Promise<VideoTrackInfo> {
  const { codec, codedWidth, codedHeight, width, height, rotation, mirrored, squarePixels } = track;
  const sps = codec === "h264" ? await spsOf(track) : undefined;
  // A demuxer that has looked already is believed, but for H.264 that does not say whether it reorders.
  const known = codec === "h264" && sps?.maxReorderFrames === undefined ? undefined : track.sample;
  const sample =
    known ?? (await samplePackets(track, { more: track.indexed && sps?.maxReorderFrames !== 0 }));
  return {
    ...common(track),
    id,
    kind: "video",
    codec,
    width,
    height,
    codedWidth,
    codedHeight,
    rotation,
    mirrored,
    frameRate: sample.frameRate,
    bFrames: sample.reordered,
    verdict: videoVerdict({
      codec,
      decodable: track.decodable && sample.packets > 0,
      bFrames: sample.reordered,
      squarePixels,
      rotation,
      mirrored,
      codecString: track.codecString,
      sps,
    }),
  };
}

/** The sequence parameter set of the decoder configuration, or of the first packet where that carries it. */
async function spsOf(track: DemuxedVideo): Promise<Sps | undefined> {
  const { description } = track.setup;
  if (description?.[0] === 1) {
    const nal = parseAvcConfig(description)?.sps[0];
    return nal === undefined ? undefined : parseSps(nal);
  }
  const bytes = description ?? (await track.packets(() => undefined).first())?.data;
  const nal = bytes === undefined ? undefined : splitAnnexB(bytes).find(unit => nalType(unit) === NAL_SPS);
  return nal === undefined ? undefined : parseSps(nal);
}

async function audioInfo(id: string, track: DemuxedAudio): Promise<AudioTrackInfo> {
  const { codec, channels, sampleRate } = track;
  const first = await track.packets(() => undefined).first({ metadataOnly: true });
  return {
    ...common(track),
    id,
    kind: "audio",
    codec,
    channels,
    sampleRate,
    verdict: audioVerdict(codec, track.decodable && first !== undefined, channels),
  };
}
