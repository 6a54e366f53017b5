import {
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUV420P,
  FF_ENCODER_LIBX264,
} from "node-av/constants";
import { Codec, CodecContext, FFmpegError, type Frame, Packet as AvPacket, Rational } from "node-av/lib";
import type { LadderJobSpec, LadderRung, Packet } from "../protocol.ts";
import type { Transcoder } from "./backend.ts";
import { Decoder, frameTimeUs, setOptions } from "./node-av-decoder.ts";
import { PictureFitter } from "./node-av-picture.ts";

/** Longest distance between keyframes that the encoder would choose itself, pictures: never reached, all are forced. */
const NO_OWN_KEYFRAMES = 1_000_000;

/**
 * Pictures decoded once and encoded in several sizes. A segment is a function of its pictures alone: its encoder is
 * opened at its first picture and knows nothing of the ones before, so it comes out the same whoever makes it, and when.
 */
export class NodeAvLadder implements Transcoder {
  readonly #spec: LadderJobSpec;
  readonly #emit: (frames: readonly Packet[]) => void;
  readonly #decoder: Decoder;
  readonly #rungs: readonly Rung[];
  #lastUs = Number.NEGATIVE_INFINITY;
  #done = false;

  constructor(spec: LadderJobSpec, emit: (frames: readonly Packet[]) => void) {
    this.#spec = spec;
    this.#emit = emit;
    this.#decoder = new Decoder(spec.decoder, "video");
    this.#rungs = spec.rungs.map((rung, index) => new Rung(spec, rung, index));
  }

  get done(): boolean {
    return this.#done;
  }

  async push(packets: readonly Packet[]): Promise<void> {
    const out: Packet[] = [];
    for (const packet of packets) {
      if (this.#done) break;
      this.#decoder.decode(packet, frame => this.#picture(frame, out));
    }
    if (this.#done) for (const rung of this.#rungs) rung.finish(out);
    if (out.length > 0) this.#emit(out);
  }

  async finish(): Promise<void> {
    const out: Packet[] = [];
    this.#decoder.decode(undefined, frame => this.#picture(frame, out));
    for (const rung of this.#rungs) rung.finish(out);
    if (out.length > 0) this.#emit(out);
  }

  close(): void {
    this.#decoder.close();
    for (const rung of this.#rungs) rung.close();
  }

  #picture(frame: Frame, out: Packet[]): void {
    const ptsUs = frameTimeUs(frame);
    if (ptsUs === undefined || this.#done || ptsUs < this.#spec.fromUs || ptsUs <= this.#lastUs) return;
    if (ptsUs >= this.#spec.untilUs) {
      this.#done = true;
      return;
    }
    this.#lastUs = ptsUs;
    for (const rung of this.#rungs) rung.take(frame, ptsUs, out);
  }
}

/** One encoding of a ladder. */
class Rung {
  readonly #spec: LadderJobSpec;
  readonly #rung: LadderRung;
  readonly #index: number;
  readonly #fitter: PictureFitter;
  /** Times of pictures that the encoder holds, in order: without B-frames they come out as they went in. */
  readonly #times: number[] = [];
  #encoder: CodecContext | undefined;
  #segment = Number.NEGATIVE_INFINITY;
  #gop = Number.NEGATIVE_INFINITY;
  #slot = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(spec: LadderJobSpec, rung: LadderRung, index: number) {
    this.#spec = spec;
    this.#rung = rung;
    this.#index = index;
    this.#fitter = new PictureFitter({ ...rung, rotation: spec.rotation, mirrored: spec.mirrored });
  }

  take(frame: Frame, ptsUs: number, out: Packet[]): void {
    const { segmentUs, gopUs } = this.#spec;
    const segment = Math.floor(ptsUs / segmentUs);
    const gop = Math.floor(ptsUs / gopUs);
    const slot = this.#slotOf(ptsUs, gop);
    if (gop === this.#gop && slot === this.#slot) return;
    if (segment !== this.#segment) {
      this.finish(out);
      this.#encoder = openEncoder(this.#rung);
      this.#count = 0;
    }
    const picture = this.#fitter.fit(frame);
    picture.pts = BigInt(this.#count++);
    picture.pictType = gop === this.#gop ? AV_PICTURE_TYPE_NONE : AV_PICTURE_TYPE_I;
    this.#segment = segment;
    this.#gop = gop;
    this.#slot = slot;
    this.#times.push(ptsUs);
    if (this.#encoder === undefined) return;
    FFmpegError.throwIfError(this.#encoder.sendFrameSync(picture), "encode a picture");
    this.#collect(this.#encoder, out);
  }

  /** Ends the segment that is being encoded. */
  finish(out: Packet[]): void {
    if (this.#encoder === undefined) return;
    this.#encoder.sendFrameSync(null);
    this.#collect(this.#encoder, out);
    this.#encoder.freeContext();
    this.#encoder = undefined;
    this.#times.length = 0;
  }

  close(): void {
    this.#encoder?.freeContext();
    this.#encoder = undefined;
    this.#fitter.close();
  }

  /** Which of a GOP's places a picture takes, where there are fewer places than pictures: a matter of its time alone. */
  #slotOf(ptsUs: number, gop: number): number {
    const { maxFramesPerSecond } = this.#rung;
    if (maxFramesPerSecond === 0) return ptsUs;
    return Math.floor(((ptsUs - gop * this.#spec.gopUs) * maxFramesPerSecond) / 1e6 + 0.01);
  }

  #collect(encoder: CodecContext, out: Packet[]): void {
    using packet = new AvPacket();
    packet.alloc();
    while (encoder.receivePacketSync(packet) >= 0) {
      const ptsUs = this.#times.shift();
      const { data } = packet;
      if (ptsUs !== undefined && data !== null) {
        out.push({ data: Uint8Array.from(data), ptsUs, key: packet.isKeyframe, rung: this.#index });
      }
      packet.unref();
    }
  }
}

function openEncoder(rung: LadderRung): CodecContext {
  const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264);
  if (codec === null) throw new Error("The encoder was built without x264");
  const context = new CodecContext();
  context.allocContext3(codec);
  context.width = rung.width;
  context.height = rung.height;
  context.pixelFormat = AV_PIX_FMT_YUV420P;
  const rate = Math.max(1, Math.round(rung.frameRate));
  context.timeBase = new Rational(1, rate);
  context.framerate = new Rational(rate, 1);
  context.gopSize = NO_OWN_KEYFRAMES;
  context.maxBFrames = 0;
  // More than one would make the outcome depend on the machine.
  context.threadCount = 1;
  setOptions(context, {
    preset: "veryfast",
    profile: "baseline",
    crf: "23",
    maxrate: String(rung.maxBitrateBps),
    bufsize: String(rung.maxBitrateBps),
    "forced-idr": "1",
    "x264-params": "repeat-headers=1:scenecut=0:open-gop=0",
  });
  FFmpegError.throwIfError(context.open2Sync(codec), "open the H.264 encoder");
  return context;
}
