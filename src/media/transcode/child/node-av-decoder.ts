import * as constants from "node-av/constants";
import { Codec, CodecContext, FFmpegError, Frame, Packet as AvPacket, Rational } from "node-av/lib";
import type { DecoderSpec, Packet } from "../protocol.ts";

/** All times inside are microseconds. */
export const MICROSECONDS = new Rational(1, 1_000_000);

const CODEC_IDS: Readonly<Record<string, constants.AVCodecID>> = {
  h264: constants.AV_CODEC_ID_H264,
  h265: constants.AV_CODEC_ID_HEVC,
  vp8: constants.AV_CODEC_ID_VP8,
  vp9: constants.AV_CODEC_ID_VP9,
  av1: constants.AV_CODEC_ID_AV1,
  prores: constants.AV_CODEC_ID_PRORES,
  mpeg2: constants.AV_CODEC_ID_MPEG2VIDEO,
  mpeg4: constants.AV_CODEC_ID_MPEG4,
  opus: constants.AV_CODEC_ID_OPUS,
  aac: constants.AV_CODEC_ID_AAC,
  mp3: constants.AV_CODEC_ID_MP3,
  ac3: constants.AV_CODEC_ID_AC3,
  eac3: constants.AV_CODEC_ID_EAC3,
  flac: constants.AV_CODEC_ID_FLAC,
  vorbis: constants.AV_CODEC_ID_VORBIS,
  alac: constants.AV_CODEC_ID_ALAC,
  "pcm-u8": constants.AV_CODEC_ID_PCM_U8,
  "pcm-s8": constants.AV_CODEC_ID_PCM_S8,
  "pcm-s16": constants.AV_CODEC_ID_PCM_S16LE,
  "pcm-s16be": constants.AV_CODEC_ID_PCM_S16BE,
  "pcm-s24": constants.AV_CODEC_ID_PCM_S24LE,
  "pcm-s24be": constants.AV_CODEC_ID_PCM_S24BE,
  "pcm-s32": constants.AV_CODEC_ID_PCM_S32LE,
  "pcm-s32be": constants.AV_CODEC_ID_PCM_S32BE,
  "pcm-f32": constants.AV_CODEC_ID_PCM_F32LE,
  "pcm-f32be": constants.AV_CODEC_ID_PCM_F32BE,
  "pcm-f64": constants.AV_CODEC_ID_PCM_F64LE,
  "pcm-f64be": constants.AV_CODEC_ID_PCM_F64BE,
  ulaw: constants.AV_CODEC_ID_PCM_MULAW,
  alaw: constants.AV_CODEC_ID_PCM_ALAW,
};

/** Decoder threads for pictures: a second one helps where the encoder leaves a core idle. */
const VIDEO_DECODER_THREADS = 2;

/** Sets a codec's options one by one: a `Dictionary` given to `open2` is freed there and again when collected. */
export function setOptions(context: CodecContext, options: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(options)) {
    const result = context.setOption(
      name,
      value,
      constants.AV_OPT_TYPE_STRING,
      constants.AV_OPT_SEARCH_CHILDREN,
    );
    FFmpegError.throwIfError(result, `set ${name}`);
  }
}

/** Turns encoded packets into frames whose `pts` is in microseconds. */
export class Decoder {
  readonly #context = new CodecContext();
  readonly #frame = new Frame();

  constructor(spec: DecoderSpec, kind: "video" | "audio") {
    const { libraryCodec } = spec;
    // The number comes from the same library's demuxer.
    const id =
      (libraryCodec?.id as constants.AVCodecID | undefined) ??
      CODEC_IDS[spec.codec === "pcm" ? spec.flavour : spec.codec];
    const codec = id === undefined ? null : Codec.findDecoder(id);
    if (codec === null) throw new Error(`The encoder has no decoder for ${spec.codec}`);
    this.#frame.alloc();
    const context = this.#context;
    context.allocContext3(codec);
    context.pktTimebase = MICROSECONDS;
    if (libraryCodec !== undefined) {
      context.codecTag = libraryCodec.tag;
      context.bitsPerCodedSample = libraryCodec.bitsPerSample;
    }
    if (spec.description !== undefined) context.extraData = Buffer.from(spec.description);
    if (kind === "video") {
      context.width = spec.width;
      context.height = spec.height;
      context.threadCount = VIDEO_DECODER_THREADS;
      // Streams that do not state their reordering depth: wait for it instead of guessing it from what comes.
      setOptions(context, { strict: "1" });
    } else {
      context.sampleRate = spec.sampleRate;
      context.channels = spec.channels;
    }
    FFmpegError.throwIfError(context.open2Sync(codec), `open the ${spec.codec} decoder`);
  }

  /** Decodes one packet, or with undefined what is still inside. The frame is valid during the call only. */
  decode(packet: Packet | undefined, onFrame: (frame: Frame) => void): void {
    if (packet === undefined) this.#context.sendPacketSync(null);
    else {
      using encoded = new AvPacket();
      encoded.alloc();
      encoded.data = Buffer.from(packet.data.buffer, packet.data.byteOffset, packet.data.byteLength);
      encoded.pts = BigInt(Math.round(packet.ptsUs));
      encoded.isKeyframe = packet.key;
      // A packet that cannot be decoded is passed over: damaged places cost pictures, not the job.
      this.#context.sendPacketSync(encoded);
    }
    while (this.#context.receiveFrameSync(this.#frame) >= 0) {
      onFrame(this.#frame);
      this.#frame.unref();
    }
  }

  /** Passes over pictures that nothing depends on, or all but keyframes. */
  skip(what: "none" | "noref" | "nokey"): void {
    setOptions(this.#context, { skip_frame: what === "none" ? "default" : what });
  }

  /** Decodes a keyframe with nothing before or after it. */
  decodeAlone(packet: Packet, onFrame: (frame: Frame) => void): void {
    this.decode(packet, onFrame);
    this.decode(undefined, onFrame);
    this.#context.flushBuffers();
  }

  close(): void {
    this.#frame.free();
    this.#context.freeContext();
  }
}

/** Time of a decoded frame, microseconds; undefined when neither the file nor the decoder knows. */
export function frameTimeUs(frame: Frame): number | undefined {
  const time = frame.bestEffortTimestamp;
  return time === constants.AV_NOPTS_VALUE ? undefined : Number(time);
}
