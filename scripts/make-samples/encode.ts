import {
  AV_OPT_SEARCH_CHILDREN,
  AV_OPT_TYPE_STRING,
  AV_CHANNEL_ORDER_NATIVE,
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_PIX_FMT_YUV420P,
  AV_SAMPLE_FMT_FLT,
  AV_SAMPLE_FMT_FLTP,
} from "node-av/constants";
import {
  Codec,
  CodecContext,
  FFmpegError,
  FormatContext,
  Frame,
  Packet,
  Rational,
  SoftwareResampleContext,
  type Stream,
} from "node-av/lib";
import { drawPicture, drawSound, type PictureSize } from "./picture.ts";

const STEREO = { nbChannels: 2, order: AV_CHANNEL_ORDER_NATIVE, mask: 3n };
const SAMPLE_RATE = 48_000;

/** What a sample clip is made of. */
export interface ClipInit {
  readonly path: string;
  readonly size: PictureSize;
  readonly frameRate: number;
  readonly seconds: number;
  readonly video: { readonly profile: string; readonly options: Readonly<Record<string, string>> };
  readonly audio: { readonly encoder: "libopus" | "aac"; readonly bitrateBps: bigint };
  /** Options of the MP4 muxer, for instance where the index goes. */
  readonly muxer: Readonly<Record<string, string>>;
}

/** One encoder and its place in the file. */
interface Output {
  readonly context: CodecContext;
  readonly stream: Stream;
  /** Seconds of media that have gone in. */
  seconds: number;
}

function check(result: number, what: string): void {
  FFmpegError.throwIfError(result, what);
}

/** Options one by one: a `Dictionary` given to `open2` or `writeHeader` is freed there and once more when collected. */
function setOptions(target: CodecContext | FormatContext, options: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(options)) {
    check(target.setOption(name, value, AV_OPT_TYPE_STRING, AV_OPT_SEARCH_CHILDREN), `set ${name}`);
  }
}

function encoder(name: "libx264" | "libopus" | "aac"): {
  readonly codec: Codec;
  readonly context: CodecContext;
} {
  const codec = Codec.findEncoderByName(name as Parameters<typeof Codec.findEncoderByName>[0]);
  if (codec === null) throw new Error(`node-av was built without ${name}`);
  const context = new CodecContext();
  context.allocContext3(codec);
  context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
  return { codec, context };
}

function openVideo(init: ClipInit, format: FormatContext): Output {
  const { codec, context } = encoder("libx264");
  context.width = init.size.width;
  context.height = init.size.height;
  context.pixelFormat = AV_PIX_FMT_YUV420P;
  context.timeBase = new Rational(1, init.frameRate);
  context.framerate = new Rational(init.frameRate, 1);
  context.threadCount = 1;
  setOptions(context, { profile: init.video.profile, ...init.video.options });
  check(context.open2Sync(codec), "open libx264");
  return { context, stream: newStream(format, context), seconds: 0 };
}

function openAudio(init: ClipInit, format: FormatContext): Output {
  const { codec, context } = encoder(init.audio.encoder);
  context.sampleRate = SAMPLE_RATE;
  context.channelLayout = STEREO;
  context.sampleFormat = init.audio.encoder === "aac" ? AV_SAMPLE_FMT_FLTP : AV_SAMPLE_FMT_FLT;
  context.bitRate = init.audio.bitrateBps;
  context.timeBase = new Rational(1, SAMPLE_RATE);
  check(context.open2Sync(codec), `open ${init.audio.encoder}`);
  return { context, stream: newStream(format, context), seconds: 0 };
}

function newStream(format: FormatContext, context: CodecContext): Stream {
  const stream = format.newStream();
  stream.codecpar.fromContext(context);
  stream.timeBase = context.timeBase;
  return stream;
}

/** Sends one frame (null: the end) and writes what comes out. */
function encode(output: Output, frame: Frame | null, format: FormatContext): void {
  check(output.context.sendFrameSync(frame), "send frame");
  for (;;) {
    using packet = new Packet();
    packet.alloc();
    if (output.context.receivePacketSync(packet) < 0) return;
    packet.streamIndex = output.stream.index;
    if (packet.duration === 0n) packet.duration = 1n;
    packet.rescaleTs(output.context.timeBase, output.stream.timeBase);
    check(format.interleavedWriteFrameSync(packet), "write packet");
  }
}

function pictureFrame(init: ClipInit, index: number): Frame {
  const frame = Frame.fromVideoBuffer(drawPicture(index, init.frameRate, init.size), {
    ...init.size,
    format: AV_PIX_FMT_YUV420P,
    pts: BigInt(index),
    timeBase: { num: 1, den: init.frameRate },
  });
  frame.duration = 1n;
  return frame;
}

function soundFrame(first: number, samples: number): Frame {
  return Frame.fromAudioBuffer(drawSound(first, samples, SAMPLE_RATE), {
    nbSamples: samples,
    format: AV_SAMPLE_FMT_FLT,
    sampleRate: SAMPLE_RATE,
    channelLayout: STEREO,
    pts: BigInt(first),
    timeBase: { num: 1, den: SAMPLE_RATE },
  });
}

/** The same sound in the sample format of the encoder. */
function planar(frame: Frame): Frame {
  using resampler = new SoftwareResampleContext();
  check(
    resampler.allocSetOpts2(STEREO, AV_SAMPLE_FMT_FLTP, SAMPLE_RATE, STEREO, AV_SAMPLE_FMT_FLT, SAMPLE_RATE),
    "set up resampler",
  );
  check(resampler.init(), "start resampler");
  const out = new Frame();
  out.alloc();
  out.format = AV_SAMPLE_FMT_FLTP;
  out.sampleRate = SAMPLE_RATE;
  out.channelLayout = STEREO;
  check(resampler.convertFrame(out, frame), "convert samples");
  out.pts = frame.pts;
  return out;
}

/** Draws, encodes and writes one clip; sound and picture are interleaved as they come. */
export async function writeClip(init: ClipInit): Promise<void> {
  const format = new FormatContext();
  check(format.allocOutputContext2(null, "mp4", init.path), "open muxer");
  const video = openVideo(init, format);
  const audio = openAudio(init, format);
  check(await format.openOutput(), "open file");
  setOptions(format, init.muxer);
  check(await format.writeHeader(), "write header");
  const frames = init.seconds * init.frameRate;
  const samples = init.seconds * SAMPLE_RATE;
  for (let frame = 0, first = 0; frame < frames; frame++) {
    using picture = pictureFrame(init, frame);
    encode(video, picture, format);
    video.seconds = (frame + 1) / init.frameRate;
    while (audio.seconds < video.seconds && first < samples) {
      const count = Math.min(audio.context.frameSize, samples - first);
      using sound = soundFrame(first, count);
      using fitting = init.audio.encoder === "aac" ? planar(sound) : sound.clone();
      encode(audio, fitting, format);
      first += count;
      audio.seconds = first / SAMPLE_RATE;
    }
  }
  for (const output of [video, audio]) encode(output, null, format);
  check(await format.writeTrailer(), "write index");
  await format.closeOutput();
  for (const output of [video, audio]) output.context.freeContext();
  format.freeContext();
}
