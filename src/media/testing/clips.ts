import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as constants from "node-av/constants";
import {
  Codec,
  CodecContext,
  Dictionary,
  FFmpegError,
  FormatContext,
  type Frame,
  Log,
  Packet,
  Rational,
} from "node-av/lib";
import { setOptions } from "../transcode/child/node-av-decoder.ts";
import {
  CLIP_HEIGHT,
  CLIP_RATE,
  CLIP_SIZE,
  CLIP_WIDTH,
  clipPicture,
  clipSound,
  layoutOf,
} from "./clip-content.ts";

type Options = Readonly<Record<string, string>>;

/** A short file of a kind that people have, made with node-av. */
export interface ClipInit {
  /** FFmpeg's name of the muxer. */
  readonly container:
    | "mp4"
    | "ipod"
    | "mov"
    | "matroska"
    | "webm"
    | "mpegts"
    | "vob"
    | "avi"
    | "flv"
    | "asf"
    | "mp3"
    | "flac"
    | "ogg"
    | "aiff"
    | "wav"
    | "caf"
    | "mxf"
    | "ivf"
    | "au"
    | "ac3"
    | "wv";
  readonly muxer?: Options;
  readonly video?: {
    readonly encoder: string;
    readonly options?: Options;
    readonly pixelFormat?: constants.AVPixelFormat;
    /** Pictures per second as a fraction. */
    readonly rate?: readonly [number, number];
    readonly frames: number;
    /** Width and height, pixels. */
    readonly size?: readonly [number, number];
    readonly gop?: number;
    readonly bFrames?: number;
    /** Degrees clockwise to display, and whether it is mirrored left to right after that. */
    readonly rotation?: 0 | 90 | 180 | 270;
    readonly mirrored?: boolean;
  };
  readonly audio?: readonly {
    readonly encoder: string;
    readonly seconds: number;
    readonly channels?: number;
    readonly language?: string;
    readonly options?: Options;
  }[];
  /** A still picture as the file's cover, in that format. */
  readonly cover?: "mjpeg" | "png";
  /** Lines of text, one a second. */
  readonly subtitles?: readonly string[];
  /** Chapters of an MP4, `[seconds, title]`: its index is written anew with them, and lies at the end. */
  readonly chapters?: readonly (readonly [number, string])[];
}

/** What the encoders of sound take; those not named take planar floats. */
const SAMPLE_FORMATS: Readonly<Record<string, constants.AVSampleFormat>> = {
  flac: constants.AV_SAMPLE_FMT_S16,
  alac: constants.AV_SAMPLE_FMT_S16P,
  libopus: constants.AV_SAMPLE_FMT_FLT,
  pcm_s16le: constants.AV_SAMPLE_FMT_S16,
  pcm_s16be: constants.AV_SAMPLE_FMT_S16,
  mp2: constants.AV_SAMPLE_FMT_S16,
  libmp3lame: constants.AV_SAMPLE_FMT_FLTP,
  wavpack: constants.AV_SAMPLE_FMT_S16P,
  adpcm_ima_wav: constants.AV_SAMPLE_FMT_S16P,
  dca: constants.AV_SAMPLE_FMT_S32,
};

function check(result: number, what: string): void {
  FFmpegError.throwIfError(result, what);
}

interface Track {
  readonly stream: ReturnType<FormatContext["newStream"]>;
  readonly timeBase: Rational;
  write(): void;
}

/** Makes a clip; the file is in memory, nothing stays on the disk. */
export async function makeClip(init: ClipInit): Promise<Uint8Array> {
  Log.setLevel(constants.AV_LOG_QUIET);
  const directory = await mkdtemp(join(tmpdir(), "cidcast-clip-"));
  try {
    const path = join(directory, "clip");
    const format = new FormatContext();
    check(format.allocOutputContext2(null, init.container, path), "open the muxer");
    // One track is written after the other: the muxer is to bring them together, however long they are.
    format.maxInterleaveDelta = 0n;
    const tracks: Track[] = [];
    if (init.video !== undefined) tracks.push(videoTrack(format, init.video));
    for (const audio of init.audio ?? []) tracks.push(audioTrack(format, audio));
    if (init.cover !== undefined) tracks.push(coverTrack(format, init.cover));
    if (init.subtitles !== undefined) tracks.push(textTrack(format, init.subtitles, init.container));
    check(await format.openOutput(), "open the file");
    for (const [name, value] of Object.entries(init.muxer ?? {})) {
      const set = format.setOption(
        name,
        value,
        constants.AV_OPT_TYPE_STRING,
        constants.AV_OPT_SEARCH_CHILDREN,
      );
      check(set, `set ${name}`);
    }
    check(await format.writeHeader(), "write the header");
    for (const track of tracks) track.write();
    check(await format.writeTrailer(), "write the index");
    await format.closeOutput();
    format.freeContext();
    const file = await readFile(path);
    return init.chapters === undefined ? file : withChapters(file, init.chapters);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function encoder(name: string): { readonly codec: Codec; readonly context: CodecContext } {
  // The package types the names it knows; any other is answered with null.
  const codec = Codec.findEncoderByName(name as Parameters<typeof Codec.findEncoderByName>[0]);
  if (codec === null) throw new Error(`node-av was built without ${name}`);
  const context = new CodecContext();
  context.allocContext3(codec);
  context.setFlags(constants.AV_CODEC_FLAG_GLOBAL_HEADER);
  context.threadCount = 1;
  return { codec, context };
}

function streamOf(format: FormatContext, context: CodecContext) {
  const stream = format.newStream();
  stream.codecpar.fromContext(context);
  stream.timeBase = context.timeBase;
  return stream;
}

function drain(format: FormatContext, track: Omit<Track, "write">, context: CodecContext): void {
  for (;;) {
    using packet = new Packet();
    packet.alloc();
    if (context.receivePacketSync(packet) < 0) return;
    packet.streamIndex = track.stream.index;
    if (packet.duration === 0n) packet.duration = 1n;
    packet.rescaleTs(track.timeBase, track.stream.timeBase);
    check(format.interleavedWriteFrameSync(packet), "write a packet");
  }
}

function send(
  format: FormatContext,
  track: Omit<Track, "write">,
  context: CodecContext,
  frame: Frame | null,
): void {
  check(context.sendFrameSync(frame), "encode a frame");
  frame?.free();
  drain(format, track, context);
}

function videoTrack(format: FormatContext, init: NonNullable<ClipInit["video"]>): Track {
  const [num, den] = init.rate ?? [30, 1];
  const { codec, context } = encoder(init.encoder);
  const pixelFormat = init.pixelFormat ?? constants.AV_PIX_FMT_YUV420P;
  const size = init.size ?? CLIP_SIZE;
  [context.width, context.height] = size;
  context.pixelFormat = pixelFormat;
  context.timeBase = new Rational(den, num);
  context.framerate = new Rational(num, den);
  context.gopSize = init.gop ?? 30;
  context.maxBFrames = init.bFrames ?? 0;
  setOptions(context, init.options ?? {});
  check(context.open2Sync(codec), `open ${init.encoder}`);
  const stream = streamOf(format, context);
  stream.avgFrameRate = context.framerate;
  if (init.rotation !== undefined) {
    const matrix = matrixOf(init.rotation, init.mirrored ?? false);
    stream.codecpar.addCodedSideData(constants.AV_PKT_DATA_DISPLAYMATRIX, matrix);
  }
  const track = { stream, timeBase: context.timeBase };
  return {
    ...track,
    write() {
      for (let i = 0; i < init.frames; i++) {
        const picture = clipPicture(i, pixelFormat, size);
        picture.duration = 1n;
        send(format, track, context, picture);
      }
      send(format, track, context, null);
      context.freeContext();
    },
  };
}

/** The display matrix of a clockwise turn: 16.16 fixed point, native byte order (FFmpeg's libavutil/display.h). */
function matrixOf(rotation: 0 | 90 | 180 | 270, mirrored: boolean): Buffer {
  const turn = { 0: [1, 0], 90: [0, 1], 180: [-1, 0], 270: [0, -1] } as const;
  const [cos, sin] = turn[rotation];
  const one = 65_536;
  const across = mirrored ? -one : one;
  return Buffer.from(
    Int32Array.of(cos * across, sin * one, 0, -sin * across, cos * one, 0, 0, 0, 1 << 30).buffer,
  );
}

function audioTrack(format: FormatContext, init: NonNullable<ClipInit["audio"]>[number]): Track {
  const { codec, context } = encoder(init.encoder);
  const sampleFormat = SAMPLE_FORMATS[init.encoder] ?? constants.AV_SAMPLE_FMT_FLTP;
  const channels = init.channels ?? 2;
  context.sampleRate = CLIP_RATE;
  context.channelLayout = layoutOf(channels);
  context.sampleFormat = sampleFormat;
  context.bitRate = 96_000n;
  context.timeBase = new Rational(1, CLIP_RATE);
  setOptions(context, init.options ?? {});
  check(context.open2Sync(codec), `open ${init.encoder}`);
  const stream = streamOf(format, context);
  if (init.language !== undefined) {
    stream.metadata = Dictionary.fromObject({ language: init.language });
  }
  const track = { stream, timeBase: context.timeBase };
  return {
    ...track,
    write() {
      const total = Math.round(init.seconds * CLIP_RATE);
      const size = context.frameSize > 0 ? context.frameSize : 1024;
      for (let first = 0; first < total; first += size) {
        const count = Math.min(size, total - first);
        send(format, track, context, clipSound(first, count, { channels, format: sampleFormat }));
      }
      send(format, track, context, null);
      context.freeContext();
    },
  };
}

function coverTrack(format: FormatContext, codecName: "mjpeg" | "png"): Track {
  const { codec, context } = encoder(codecName);
  const pixelFormat = codecName === "png" ? constants.AV_PIX_FMT_RGB24 : constants.AV_PIX_FMT_YUVJ420P;
  context.width = CLIP_WIDTH;
  context.height = CLIP_HEIGHT;
  context.pixelFormat = pixelFormat;
  context.timeBase = new Rational(1, 1);
  check(context.open2Sync(codec), `open ${codecName}`);
  const stream = streamOf(format, context);
  stream.disposition = constants.AV_DISPOSITION_ATTACHED_PIC;
  const track = { stream, timeBase: context.timeBase };
  return {
    ...track,
    write() {
      send(format, track, context, clipPicture(0, pixelFormat));
      send(format, track, context, null);
      context.freeContext();
    },
  };
}

function textTrack(format: FormatContext, lines: readonly string[], container: ClipInit["container"]): Track {
  const timed = container === "mp4" || container === "mov";
  const stream = format.newStream();
  stream.codecpar.codecType = constants.AVMEDIA_TYPE_SUBTITLE;
  stream.codecpar.codecId = timed ? constants.AV_CODEC_ID_MOV_TEXT : constants.AV_CODEC_ID_SUBRIP;
  const timeBase = new Rational(1, 1000);
  stream.timeBase = timeBase;
  return {
    stream,
    timeBase,
    write() {
      for (const [i, line] of lines.entries()) {
        using packet = new Packet();
        packet.alloc();
        const text = Buffer.from(line);
        // Timed text of MP4 has its length before it.
        packet.data = timed
          ? Buffer.concat([Buffer.from([text.length >> 8, text.length & 255]), text])
          : text;
        packet.pts = BigInt(i * 1000);
        packet.dts = BigInt(i * 1000);
        packet.duration = 900n;
        packet.isKeyframe = true;
        packet.streamIndex = stream.index;
        packet.rescaleTs(timeBase, stream.timeBase);
        check(format.interleavedWriteFrameSync(packet), "write a line");
      }
    },
  };
}

/** The file with a `udta/chpl` box at the end of its index, which has to be the last box. */
function withChapters(file: Buffer, chapters: readonly (readonly [number, string])[]): Uint8Array {
  const box = (type: string, body: Buffer): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length + 8);
    head.write(type, 4, "latin1");
    return Buffer.concat([head, body]);
  };
  const entries = chapters.map(([seconds, title]) => {
    const text = Buffer.from(title);
    const entry = Buffer.alloc(9);
    entry.writeBigUInt64BE(BigInt(Math.round(seconds * 1e7)));
    entry[8] = text.length;
    return Buffer.concat([entry, text]);
  });
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, chapters.length]);
  const added = box("udta", box("chpl", Buffer.concat([head, ...entries])));
  for (let at = 0; at + 8 <= file.length; at += file.readUInt32BE(at)) {
    if (file.toString("latin1", at + 4, at + 8) !== "moov") continue;
    if (at + file.readUInt32BE(at) !== file.length) break;
    const out = Buffer.concat([file, added]);
    out.writeUInt32BE(file.readUInt32BE(at) + added.length, at);
    return out;
  }
  throw new Error("the index is not at the end of the file");
}
