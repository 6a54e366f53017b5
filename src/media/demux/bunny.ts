import type { InputAudioTrack, InputTrack, InputVideoTrack } from "mediabunny";
import { audioCodecOf, isPicture, videoCodecOf } from "./codecs.ts";
import { packetReader } from "./packets.ts";
import type { DemuxedAudio, DemuxedTrack, DemuxedVideo } from "./track.ts";

/** Containers with an index of all packets: looking at packet times reads nothing more. */
const INDEXED: ReadonlySet<string> = new Set(["MP4", "QuickTime File Format"]);

/** Tracks of a file that mediabunny has opened; still pictures are counted and left out. */
export async function bunnyTracks(
  container: string,
  inputs: readonly InputTrack[],
): Promise<{ readonly tracks: readonly DemuxedTrack[]; readonly pictures: number }> {
  const tracks: DemuxedTrack[] = [];
  let pictures = 0;
  for (const input of inputs) {
    if (await isPicture(input)) pictures += 1;
    else if (input.isVideoTrack()) tracks.push(await videoTrack(input, INDEXED.has(container)));
    else if (input.isAudioTrack()) tracks.push(await audioTrack(input));
  }
  return { tracks, pictures };
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

async function common(track: InputVideoTrack | InputAudioTrack) {
  const config = await track.getDecoderConfig();
  return {
    codecString: (await track.getCodecParameterString()) ?? undefined,
    durationSeconds: await durationOf(track),
    bitrateBps: (await track.getBitrate()) ?? undefined,
    language: languageOf(await track.getLanguageCode()),
    decodable: config !== null,
    setup: { flavour: String(await track.getCodec()), description: descriptionOf(config) },
    packets: (onDamage: (error: unknown) => void, maxFrameBytes?: number) =>
      packetReader(track, onDamage, maxFrameBytes),
  };
}

async function videoTrack(track: InputVideoTrack, indexed: boolean): Promise<DemuxedVideo> {
  const aspect = await track.getPixelAspectRatio();
  return {
    ...(await common(track)),
    kind: "video",
    codec: await videoCodecOf(track),
    width: await track.getDisplayWidth(),
    height: await track.getDisplayHeight(),
    codedWidth: await track.getCodedWidth(),
    codedHeight: await track.getCodedHeight(),
    squarePixels: aspect.num === aspect.den,
    rotation: await track.getRotation(),
    mirrored: await track.getFlip(),
    indexed,
  };
}

async function audioTrack(track: InputAudioTrack): Promise<DemuxedAudio> {
  return {
    ...(await common(track)),
    kind: "audio",
    codec: await audioCodecOf(track),
    channels: await track.getNumberOfChannels(),
    sampleRate: await track.getSampleRate(),
  };
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
