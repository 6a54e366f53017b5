import {
  AV_CODEC_ID_NONE,
  AV_DISPOSITION_ATTACHED_PIC,
  AV_NOPTS_VALUE,
  AV_PKT_DATA_DISPLAYMATRIX,
  AVMEDIA_TYPE_AUDIO,
  AVMEDIA_TYPE_VIDEO,
  AV_CODEC_ID_BMP,
  AV_CODEC_ID_GIF,
  AV_CODEC_ID_MJPEG,
  AV_CODEC_ID_PNG,
  type AVCodecID,
} from "node-av/constants";
import { avGetCodecName, Codec, type FormatContext, type Stream } from "node-av/lib";
import type { FoundTrack } from "../protocol.ts";

/** Codecs of covers. */
const PICTURES: ReadonlySet<AVCodecID> = new Set<AVCodecID>([
  AV_CODEC_ID_MJPEG,
  AV_CODEC_ID_PNG,
  AV_CODEC_ID_BMP,
  AV_CODEC_ID_GIF,
]);

/** A stream that is a cover: marked as one, or the only picture of a kind that covers have. */
export function isCover(stream: Stream): boolean {
  if (stream.codecpar.codecType !== AVMEDIA_TYPE_VIDEO) return false;
  if (stream.hasDisposition(AV_DISPOSITION_ATTACHED_PIC)) return true;
  return PICTURES.has(stream.codecpar.codecId) && stream.nbFrames === 1n;
}

/** What FFmpeg's demuxer knows about a stream; undefined for what is neither picture nor sound. `stated`: the file tells lengths. */
export function trackFacts(context: FormatContext, stream: Stream, stated: boolean): FoundTrack | undefined {
  const { codecpar } = stream;
  const kind =
    codecpar.codecType === AVMEDIA_TYPE_VIDEO
      ? "video"
      : codecpar.codecType === AVMEDIA_TYPE_AUDIO
        ? "audio"
        : undefined;
  if (kind === undefined) return undefined;
  const shaped = kind === "video" ? codecpar.width > 0 && codecpar.height > 0 : codecpar.sampleRate > 0;
  const known = codecpar.codecId !== AV_CODEC_ID_NONE && Codec.findDecoder(codecpar.codecId) !== null;
  const language = stream.metadata?.get("language") ?? undefined;
  const codecString = codecpar.getCodecString() ?? undefined;
  const { extradata } = codecpar;
  return {
    index: stream.index,
    kind,
    codec: avGetCodecName(codecpar.codecId) ?? "",
    codecId: codecpar.codecId,
    codecTag: codecpar.codecTag,
    ...(codecString === undefined ? {} : { codecString }),
    decodable: shaped && known,
    ...(extradata === null || extradata.length === 0 ? {} : { description: Uint8Array.from(extradata) }),
    bitsPerSample: codecpar.bitsPerCodedSample,
    durationUs: durationUs(context, stream, stated),
    bitrateBps: Number(codecpar.bitRate),
    ...(language === undefined || language === "und" ? {} : { language }),
    ...pictureFacts(stream),
    channels: codecpar.channels,
    sampleRate: codecpar.sampleRate,
  };
}

/** A track's length as the file states it. Where nothing does, it is told by the last times that are found: those of all tracks. */
function durationUs(context: FormatContext, stream: Stream, stated: boolean): number {
  const { num, den } = stream.timeBase;
  const whole = context.duration === AV_NOPTS_VALUE ? 0 : Math.max(0, Number(context.duration));
  if (stream.duration === AV_NOPTS_VALUE || stream.duration <= 0n) return whole;
  const own = Math.round((Number(stream.duration) * num * 1e6) / den);
  return stated ? own : Math.max(own, whole);
}

function pictureFacts(stream: Stream) {
  const { codecpar } = stream;
  const aspect = [stream.sampleAspectRatio, codecpar.sampleAspectRatio].find(
    ({ num, den }) => num > 0 && den > 0,
  );
  const rate = [stream.avgFrameRate, stream.rFrameRate].find(({ num, den }) => num > 0 && den > 0);
  return {
    width: codecpar.width,
    height: codecpar.height,
    pixelAspect: aspect === undefined ? 1 : aspect.num / aspect.den,
    ...positionOf(codecpar.getCodedSideData(AV_PKT_DATA_DISPLAYMATRIX)),
    frameRate: rate === undefined ? 0 : rate.num / rate.den,
    reordered: codecpar.videoDelay > 0,
  };
}

/** How pictures are turned by a display matrix: nine numbers, of which a, b, c and d stand at 0, 1, 3 and 4. */
function positionOf(matrix: Buffer | null): Pick<FoundTrack, "rotation" | "mirrored"> {
  if (matrix === null || matrix.length < 36) return { rotation: 0, mirrored: false };
  const [a = 0, b = 0, c = 0, d = 0] = [0, 1, 3, 4].map(i => matrix.readInt32LE(4 * i));
  const mirrored = a * d - b * c < 0;
  const quarters = Math.round(Math.atan2(b, mirrored ? -a : a) / (Math.PI / 2));
  // Four quarters are all there are.
  const rotation = (((quarters + 4) % 4) * 90) as FoundTrack["rotation"];
  return { rotation, mirrored };
}
