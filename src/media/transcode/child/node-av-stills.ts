import {
  type AVPixelFormat,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  FF_ENCODER_MJPEG,
  FF_ENCODER_PNG,
  SWS_BILINEAR,
} from "node-av/constants";
import {
  Codec,
  CodecContext,
  FFmpegError,
  Frame,
  Packet as AvPacket,
  Rational,
  SoftwareScaleContext,
} from "node-av/lib";
import type { Packet, SheetJobSpec, StillJobSpec } from "../protocol.ts";
import type { Transcoder } from "./backend.ts";
import { Decoder, frameTimeUs, setOptions } from "./node-av-decoder.ts";
import { PictureFitter } from "./node-av-picture.ts";

/** Quantiser of JPEGs: small, and good enough that a frame can be read. */
const JPEG_QUANTISER = "4";

type Emit = (frames: readonly Packet[]) => void;

/** The one picture that is shown at a time. */
export class NodeAvStill implements Transcoder {
  readonly #spec: StillJobSpec;
  readonly #emit: Emit;
  readonly #decoder: Decoder;
  readonly #fitter: PictureFitter;
  readonly #shown = new Frame();
  #shownUs: number | undefined;
  #done = false;

  constructor(spec: StillJobSpec, emit: Emit) {
    this.#spec = spec;
    this.#emit = emit;
    this.#decoder = new Decoder(spec.decoder, "video");
    this.#fitter = new PictureFitter(spec);
    this.#shown.alloc();
  }

  get done(): boolean {
    return this.#done;
  }

  async push(packets: readonly Packet[]): Promise<void> {
    for (const packet of packets) {
      if (this.#done) return;
      this.#decoder.decode(packet, frame => this.#picture(frame));
    }
  }

  async finish(): Promise<void> {
    if (!this.#done) this.#decoder.decode(undefined, frame => this.#picture(frame));
    this.#end();
  }

  close(): void {
    this.#decoder.close();
    this.#fitter.close();
    this.#shown.free();
  }

  #picture(frame: Frame): void {
    const ptsUs = frameTimeUs(frame);
    if (this.#done || ptsUs === undefined) return;
    if (ptsUs > this.#spec.atUs && this.#shownUs !== undefined) return this.#end();
    this.#shown.unref();
    FFmpegError.throwIfError(this.#shown.ref(frame), "keep a picture");
    this.#shownUs = ptsUs;
    if (ptsUs >= this.#spec.atUs) this.#end();
  }

  #end(): void {
    if (this.#done) return;
    this.#done = true;
    if (this.#shownUs === undefined) throw new Error("no picture could be decoded");
    const data = encodePicture(this.#fitter.fit(this.#shown), this.#spec.format);
    this.#emit([{ data, ptsUs: this.#shownUs, key: true }]);
  }
}

/** Small pictures on sheets: each packet is a keyframe and becomes a picture. */
export class NodeAvSheet implements Transcoder {
  readonly #spec: SheetJobSpec;
  readonly #emit: Emit;
  readonly #decoder: Decoder;
  readonly #fitter: PictureFitter;
  #sheet: Buffer | undefined;
  #count = 0;

  constructor(spec: SheetJobSpec, emit: Emit) {
    this.#spec = spec;
    this.#emit = emit;
    this.#decoder = new Decoder(spec.decoder, "video");
    this.#fitter = new PictureFitter(spec);
  }

  async push(packets: readonly Packet[]): Promise<void> {
    for (const packet of packets) {
      let taken = false;
      const take = (frame: Frame): void => {
        if (!taken) this.#paste(toFormat(this.#fitter.fit(frame), AV_PIX_FMT_YUVJ420P));
        taken = true;
      };
      this.#decoder.decodeAlone(packet, take);
      // What cannot be decoded leaves its place grey: the others stay where they belong.
      if (!taken) this.#paste(undefined);
    }
  }

  async finish(): Promise<void> {
    if (this.#count % this.#perSheet > 0)
      this.#flush(Math.ceil((this.#count % this.#perSheet) / this.#spec.columns));
  }

  close(): void {
    this.#decoder.close();
    this.#fitter.close();
  }

  get #perSheet(): number {
    return this.#spec.columns * this.#spec.rows;
  }

  #paste(tile: Frame | undefined): void {
    const { width, height, columns, rows } = this.#spec;
    const [wide, high] = [width * columns, height * rows];
    this.#sheet ??= Buffer.alloc((wide * high * 3) / 2, 128);
    const place = this.#count % this.#perSheet;
    const [x, y] = [(place % columns) * width, Math.floor(place / columns) * height];
    let at = 0;
    for (const [plane, shift] of [0, 1, 1].entries()) {
      const data = tile?.data?.[plane];
      const stride = tile?.linesize[plane] ?? 0;
      const lines = data === undefined ? 0 : height >> shift;
      for (let row = 0; row < lines; row++) {
        const to = at + ((y >> shift) + row) * (wide >> shift) + (x >> shift);
        data?.copy(this.#sheet, to, row * stride, row * stride + (width >> shift));
      }
      at += (wide >> shift) * (high >> shift);
    }
    tile?.free();
    this.#count++;
    if (this.#count % this.#perSheet === 0) this.#flush(rows);
  }

  /** Gives out the sheet with so many of its rows. */
  #flush(rows: number): void {
    const { width, height, columns, rows: all } = this.#spec;
    const sheet = this.#sheet;
    if (sheet === undefined) return;
    this.#sheet = undefined;
    const wide = width * columns;
    const planes = [];
    let at = 0;
    for (const shift of [0, 1, 1]) {
      const line = wide >> shift;
      planes.push(sheet.subarray(at, at + line * ((height * rows) >> shift)));
      at += line * ((height * all) >> shift);
    }
    using frame = Frame.fromVideoBuffer(Buffer.concat(planes), {
      width: wide,
      height: height * rows,
      format: AV_PIX_FMT_YUVJ420P,
      pts: 0n,
      timeBase: { num: 1, den: 1 },
    });
    this.#emit([
      { data: encode(frame, "jpeg"), ptsUs: Math.ceil(this.#count / this.#perSheet) - 1, key: true },
    ]);
  }
}

function encodePicture(picture: Frame, format: "jpeg" | "png"): Uint8Array {
  using converted = toFormat(picture, format === "jpeg" ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_RGB24);
  return encode(converted, format);
}

/** The picture in another pixel format; the caller frees it. */
function toFormat(picture: Frame, format: AVPixelFormat): Frame {
  const { width, height } = picture;
  using scaler = new SoftwareScaleContext();
  scaler.getContext(width, height, AV_PIX_FMT_YUV420P, width, height, format, SWS_BILINEAR);
  const out = new Frame();
  out.alloc();
  Object.assign(out, { width, height, format });
  FFmpegError.throwIfError(out.getBuffer(), "make room for a picture");
  FFmpegError.throwIfError(scaler.scaleFrameSync(out, picture), "convert a picture");
  return out;
}

function encode(picture: Frame, format: "jpeg" | "png"): Uint8Array {
  const codec = Codec.findEncoderByName(format === "jpeg" ? FF_ENCODER_MJPEG : FF_ENCODER_PNG);
  if (codec === null) throw new Error(`The encoder was built without ${format}`);
  const context = new CodecContext();
  context.allocContext3(codec);
  try {
    context.width = picture.width;
    context.height = picture.height;
    context.pixelFormat = format === "jpeg" ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_RGB24;
    context.timeBase = new Rational(1, 1);
    context.threadCount = 1;
    if (format === "jpeg") setOptions(context, { qmin: JPEG_QUANTISER, qmax: JPEG_QUANTISER });
    FFmpegError.throwIfError(context.open2Sync(codec), `open the ${format} encoder`);
    picture.pts = 0n;
    FFmpegError.throwIfError(context.sendFrameSync(picture), "encode a picture");
    context.sendFrameSync(null);
    using packet = new AvPacket();
    packet.alloc();
    FFmpegError.throwIfError(context.receivePacketSync(packet), "encode a picture");
    return Uint8Array.from(packet.data ?? []);
  } finally {
    context.freeContext();
  }
}
