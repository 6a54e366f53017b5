import type { InputAudioTrack, InputTrack, InputVideoTrack } from "mediabunny";
import { CidcastError } from "../../core/index.ts";
import type { AudioTrackInfo, MediaInfo, TrackInfo, VideoTrackInfo } from "../types.ts";
import { audioCodecOf, isPicture, videoCodecOf } from "./codecs.ts";
import type { MediaFile } from "./media-file.ts";
import { parseAvcConfig, splitAnnexB, nalType, NAL_SPS } from "./nal.ts";
import { packetReader } from "./packets.ts";
import { samplePackets } from "./reorder.ts";
import { parseSps, type Sps } from "./sps.ts";
import { audioVerdict, videoVerdict } from "./verdict.ts";

/** What a file holds, with the demuxer's track behind each entry. */
export interface Probed {
  readonly info: MediaInfo;
  readonly tracks: ReadonlyMap<string, InputTrack>;
}

/** Containers with an index of all packets: looking at packet times reads nothing more. */
const INDEXED: ReadonlySet<string> = new Set(["MP4", "QuickTime File Format"]);

/** Finds out what `media` holds. `encoderMissing` says why nothing can be transcoded, where that is so. */
export async function probeFile(media: MediaFile, encoderMissing: string | undefined): Promise<Probed> {
  const infos: TrackInfo[] = [];
  const tracks = new Map<string, InputTrack>();
  const notes: string[] = [];
  let videos = 0;
  let audios = 0;
  for (const track of media.tracks) {
    if (await isPicture(track)) {
      notes.push("A still picture in the file is its cover, not a video track");
      continue;
    }
    const info = track.isVideoTrack()
      ? await videoInfo(`v${videos++}`, track, INDEXED.has(media.container))
      : track.isAudioTrack()
        ? await audioInfo(`a${audios++}`, track)
        : undefined;
    if (info === undefined) continue;
    infos.push(info);
    tracks.set(info.id, track);
    if (info.verdict.mode === "unplayable") notes.push(`${info.id}: ${info.verdict.reason}`);
  }
  if (media.tracks.length === 0) {
    throw new CidcastError(
      "CORRUPT_MEDIA",
      `${media.file.cid} is ${media.container} without any track: its index is missing, so it is probably cut off`,
    );
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

/** Duration by the file's own account, else by its last packet. */
async function durationOf(track: InputTrack): Promise<number> {
  const stated = await track.getDurationFromMetadata();
  const seconds = stated ?? (await track.computeDuration());
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
}

function languageOf(code: string): string | undefined {
  return code === "" || code === "und" ? undefined : code;
}

async function common(track: InputTrack) {
  return {
    codecString: (await track.getCodecParameterString()) ?? undefined,
    durationSeconds: await durationOf(track),
    bitrateBps: (await track.getBitrate()) ?? undefined,
    language: languageOf(await track.getLanguageCode()),
  };
}

async function videoInfo(id: string, track: InputVideoTrack, indexed: boolean): Promise<VideoTrackInfo> {
  const base = await common(track);
  const codec = await videoCodecOf(track);
  const sps = codec === "h264" ? await spsOf(track) : undefined;
  const sample = await samplePackets(track, {
    durationSeconds: base.durationSeconds,
    more: indexed && sps?.maxReorderFrames !== 0,
  });
  const decodable = (await track.getDecoderConfig()) !== null && sample.packets > 0;
  const codedWidth = await track.getCodedWidth();
  const codedHeight = await track.getCodedHeight();
  const aspect = await track.getPixelAspectRatio();
  const rotation = await track.getRotation();
  return {
    ...base,
    id,
    kind: "video",
    codec,
    width: await track.getDisplayWidth(),
    height: await track.getDisplayHeight(),
    codedWidth,
    codedHeight,
    rotation,
    frameRate: sample.frameRate,
    bFrames: sample.reordered,
    verdict: videoVerdict({
      codec,
      decodable,
      bFrames: sample.reordered,
      squarePixels: aspect.num === aspect.den,
      rotation,
      codecString: base.codecString,
      sps,
    }),
  };
}

/** The sequence parameter set of the decoder configuration, or of the first packet where that carries it. */
async function spsOf(track: InputVideoTrack): Promise<Sps | undefined> {
  const description = await trackDescription(track);
  if (description !== undefined) {
    const nal = parseAvcConfig(description)?.sps[0];
    return nal === undefined ? undefined : parseSps(nal);
  }
  const first = await packetReader(track, () => undefined).first();
  const nal =
    first === undefined ? undefined : splitAnnexB(first.data).find(unit => nalType(unit) === NAL_SPS);
  return nal === undefined ? undefined : parseSps(nal);
}

/** The codec's setup bytes of a decoder configuration. */
function descriptionOf(
  config: { readonly description?: ArrayBufferView | ArrayBufferLike } | null,
): Uint8Array | undefined {
  const description = config?.description;
  if (description === undefined) return undefined;
  if (ArrayBuffer.isView(description)) {
    return new Uint8Array(description.buffer, description.byteOffset, description.byteLength);
  }
  return new Uint8Array(description);
}

/** The setup bytes of a track's codec. */
export async function trackDescription(track: InputTrack): Promise<Uint8Array | undefined> {
  if (track.isVideoTrack() || track.isAudioTrack()) return descriptionOf(await track.getDecoderConfig());
  return undefined;
}

async function audioInfo(id: string, track: InputAudioTrack): Promise<AudioTrackInfo> {
  const base = await common(track);
  const codec = await audioCodecOf(track);
  const channels = await track.getNumberOfChannels();
  const first = await packetReader(track, () => undefined).first({ metadataOnly: true });
  const decodable = first !== undefined && (await track.getDecoderConfig()) !== null;
  return {
    ...base,
    id,
    kind: "audio",
    codec,
    channels,
    sampleRate: await track.getSampleRate(),
    verdict: audioVerdict(codec, decodable, channels),
  };
}
