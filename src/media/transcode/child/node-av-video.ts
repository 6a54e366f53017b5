import {
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUV420P,
  FF_ENCODER_LIBX264,
} from "node-av/constants";
import { Codec, CodecContext, FFmpegError, type Frame, Packet as AvPacket, Rational } from "node-av/lib";
import type { Packet, VideoJobSpec } from "../protocol.ts";
import type { PaceLevel } from "../jobs/pace.ts";
import type { Transcoder } from "./backend.ts";
import { Decoder, frameTimeUs, setOptions } from "./node-av-decoder.ts";
import { PictureFitter } from "./node-av-picture.ts";

/** Longest distance between keyframes that the encoder would choose itself, pictures: never reached, all are forced. */
const NO_OWN_KEYFRAMES = 1_000_000;

/** H.264 pictures without reordering, a forced IDR picture with its parameter sets at the start of each GOP of the time grid. */
export class NodeAvVideo implements Transcoder {
  readonly #spec: VideoJobSpec;
  readonly #emit: (frames: readonly Packet[]) => void;
  readonly #decoder: Decoder;
  readonly #encoder: CodecContext;
  readonly #fitter: PictureFitter;
  /** Times of pictures that the encoder holds, in order: it has no B-frames, so they come out as they went in. */
  readonly #times: { readonly ptsUs: number }[] = [];
  #minFrameGapUs: number;
  #count = 0;
  #lastUs = Number.NEGATIVE_INFINITY;
  #gop = Number.NEGATIVE_INFINITY;

  constructor(spec: VideoJobSpec, emit: (frames: readonly Packet[]) => void) {
    this.#spec = spec;
    this.#minFrameGapUs = spec.minFrameGapUs;
    this.#emit = emit;
    this.#decoder = new Decoder(spec.decoder, "video");
    this.#encoder = openEncoder(spec);
    this.#fitter = new PictureFitter(spec);
  }

  async push(packets: readonly Packet[]): Promise<void> {
    const out: Packet[] = [];
    for (const packet of packets) this.#decoder.decode(packet, frame => this.#picture(frame, out));
    if (out.length > 0) this.#emit(out);
  }

  pace({ minFrameGapUs, skip }: PaceLevel): void {
    this.#minFrameGapUs = Math.max(this.#spec.minFrameGapUs, minFrameGapUs);
    this.#decoder.skip(skip);
  }

  async finish(): Promise<void> {
    const out: Packet[] = [];
    this.#decoder.decode(undefined, frame => this.#picture(frame, out));
    this.#encoder.sendFrameSync(null);
    this.#collect(out);
    if (out.length > 0) this.#emit(out);
  }

  close(): void {
    this.#decoder.close();
    this.#encoder.freeContext();
    this.#fitter.close();
  }

  #picture(frame: Frame, out: Packet[]): void {
    const ptsUs = frameTimeUs(frame);
    if (ptsUs === undefined || ptsUs < this.#spec.fromUs) return;
    const gop = Math.floor(ptsUs / this.#spec.gopUs);
    if (gop === this.#gop && ptsUs - this.#lastUs < this.#minFrameGapUs) return;
    if (ptsUs <= this.#lastUs) return;
    const picture = this.#fitter.fit(frame);
    picture.pts = BigInt(this.#count++);
    picture.pictType = gop === this.#gop ? AV_PICTURE_TYPE_NONE : AV_PICTURE_TYPE_I;
    this.#gop = gop;
    this.#lastUs = ptsUs;
    this.#times.push({ ptsUs });
    FFmpegError.throwIfError(this.#encoder.sendFrameSync(picture), "encode a picture");
    this.#collect(out);
  }

  #collect(out: Packet[]): void {
    using packet = new AvPacket();
    packet.alloc();
    while (this.#encoder.receivePacketSync(packet) >= 0) {
      const time = this.#times.shift();
      const { data } = packet;
      if (time !== undefined && data !== null) {
        out.push({ data: Uint8Array.from(data), ptsUs: time.ptsUs, key: packet.isKeyframe });
      }
      packet.unref();
    }
  }
}

function openEncoder(spec: VideoJobSpec): CodecContext {
  const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264);
  if (codec === null) throw new Error("The encoder was built without x264");
  const context = new CodecContext();
  context.allocContext3(codec);
  context.width = spec.width;
  context.height = spec.height;
  context.pixelFormat = AV_PIX_FMT_YUV420P;
  const rate = Math.max(1, Math.round(spec.frameRate));
  context.timeBase = new Rational(1, rate);
  context.framerate = new Rational(rate, 1);
  context.gopSize = NO_OWN_KEYFRAMES;
  context.maxBFrames = 0;
  context.threadCount = 1;
  setOptions(context, {
    preset: "superfast",
    tune: "zerolatency",
    profile: "baseline",
    crf: "23",
    maxrate: String(spec.maxBitrateBps),
    bufsize: String(spec.maxBitrateBps),
    "forced-idr": "1",
    "x264-params": "repeat-headers=1:scenecut=0:open-gop=0:log-level=none",
  });
  FFmpegError.throwIfError(context.open2Sync(codec), "open the H.264 encoder");
  return context;
}
