// The same ladder without segments, as one plain run of FFmpeg makes it: one process that decodes once, scales each size from
// the source and encodes it in one go, every size in a thread of its own, x264 with as many threads as it likes.
import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import {
  AV_LOG_QUIET,
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUV420P,
  FF_ENCODER_LIBX264,
  type AVPixelFormat,
  SWS_BILINEAR,
} from "node-av/constants";
import {
  Codec,
  CodecContext,
  FFmpegError,
  Frame,
  Log,
  Packet as AvPacket,
  Rational,
  SoftwareScaleContext,
} from "node-av/lib";
import { silentLogger } from "../../src/core/index.ts";
import { ladderOf, type PresetName, type Rung } from "../../src/media/prepare/ladder.ts";
import { OpenFiles } from "../../src/media/source/open-files.ts";
import { memoryContent } from "../../src/media/testing/memory-content.ts";
import { NodeAvAudio } from "../../src/media/transcode/child/node-av-audio.ts";
import { Decoder, frameTimeUs, setOptions } from "../../src/media/transcode/child/node-av-decoder.ts";
import { profileOf } from "../../src/media/transcode/profile.ts";

/** Pictures that may wait for a size. */
const MAX_WAITING = 6;

Log.setLevel(AV_LOG_QUIET);
const [path = "", ...presets] = process.argv.slice(2);
// As low as the node's own encoders, so that both have the same share of a busy machine.
setPriority(15);
let bytes = 0;

/** One size: scaled and encoded in order, in threads, while the next pictures are decoded. */
class Size {
  readonly #rung: Rung;
  readonly #context: CodecContext;
  readonly #scaled = new Frame();
  readonly #packet = new AvPacket();
  #scaler: SoftwareScaleContext | undefined;
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  #count = 0;
  #gop = -1;
  #slot = -1;

  constructor(rung: Rung) {
    this.#rung = rung;
    this.#context = open(rung);
    this.#scaled.alloc();
    this.#packet.alloc();
  }

  get isFull(): boolean {
    return this.#waiting >= MAX_WAITING;
  }

  get work(): Promise<void> {
    return this.#work;
  }

  take(frame: Frame, ptsUs: number): void {
    const gop = Math.floor(ptsUs / 1e6);
    const most = this.#rung.maxFramesPerSecond;
    const slot = most === 0 ? ptsUs : Math.floor(((ptsUs - gop * 1e6) * most) / 1e6 + 0.01);
    if (gop === this.#gop && slot === this.#slot) return;
    const key = gop !== this.#gop;
    this.#gop = gop;
    this.#slot = slot;
    const own = frame.clone();
    if (own === null) throw new Error("There is no memory for a picture");
    this.#waiting += 1;
    this.#work = this.#work.then(async () => {
      const picture = await this.#scale(own);
      picture.pts = BigInt(this.#count++);
      picture.pictType = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
      FFmpegError.throwIfError(await this.#context.sendFrame(picture), "encode");
      own.free();
      this.#collect();
      this.#waiting -= 1;
    });
  }

  async end(): Promise<void> {
    await this.#work;
    await this.#context.sendFrame(null);
    while ((await this.#context.receivePacket(this.#packet)) >= 0) bytes += this.#packet.size;
  }

  async #scale(frame: Frame): Promise<Frame> {
    const { width, height } = this.#rung;
    const format = frame.format as AVPixelFormat;
    if (format === AV_PIX_FMT_YUV420P && frame.width === width && frame.height === height) return frame;
    if (this.#scaler === undefined) {
      this.#scaler = new SoftwareScaleContext();
      const from = [frame.width, frame.height, format] as const;
      this.#scaler.getContext(...from, width, height, AV_PIX_FMT_YUV420P, SWS_BILINEAR);
    }
    this.#scaled.unref();
    Object.assign(this.#scaled, { width, height, format: AV_PIX_FMT_YUV420P });
    FFmpegError.throwIfError(this.#scaled.getBuffer(), "make room");
    FFmpegError.throwIfError(await this.#scaler.scaleFrame(this.#scaled, frame), "scale");
    return this.#scaled;
  }

  #collect(): void {
    while (this.#context.receivePacketSync(this.#packet) >= 0) {
      bytes += this.#packet.size;
      this.#packet.unref();
    }
  }
}

const startedMs = performance.now();
const startedCpu = process.cpuUsage();
const content = memoryContent({ file: readFileSync(path) });
const files = new OpenFiles({ content, log: silentLogger, encoderMissing: () => undefined });
const { file, release } = await files.acquire("file");
let pictures = 0;
const tracks = file.info.tracks.map(async track => {
  const input = file.tracks.get(track.id);
  const job = input === undefined ? undefined : profileOf(track, input)?.spec(0);
  if (input === undefined || job === undefined) return;
  const packets = input.packets(() => undefined);
  if (job.kind === "audio") {
    const audio = new NodeAvAudio(job, frames => {
      for (const { data } of frames) bytes += data.length;
    });
    for (let packet = await packets.first(); packet !== undefined; packet = await packets.next(packet)) {
      await audio.push([{ data: packet.data, ptsUs: packet.timestamp * 1e6, key: packet.type === "key" }]);
    }
    await audio.finish();
    audio.close();
    return;
  }
  if (track.kind !== "video") return;
  const decoder = new Decoder(job.decoder, "video");
  const sizes = ladderOf(track, { presets: presets as PresetName[] }).map(rung => new Size(rung));
  const take = (frame: Frame): void => {
    pictures += 1;
    for (const size of sizes) size.take(frame, frameTimeUs(frame) ?? 0);
  };
  for (let next = await packets.first(); next !== undefined; next = await packets.next(next)) {
    decoder.decode({ data: next.data, ptsUs: next.timestamp * 1e6, key: next.type === "key" }, take);
    for (const size of sizes) if (size.isFull) await size.work;
  }
  decoder.decode(undefined, take);
  await Promise.all(sizes.map(size => size.end()));
});
await Promise.all(tracks);
await release();
const seconds = (performance.now() - startedMs) / 1000;
const { user, system } = process.cpuUsage(startedCpu);
process.stdout.write(`${JSON.stringify({ seconds, cpu: (user + system) / 1e6, pictures, bytes })}\n`);

function open(rung: { width: number; height: number; frameRate: number; bitrateBps: number }): CodecContext {
  const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264);
  if (codec === null) throw new Error("node-av was built without x264");
  const context = new CodecContext();
  context.allocContext3(codec);
  context.width = rung.width;
  context.height = rung.height;
  context.pixelFormat = AV_PIX_FMT_YUV420P;
  const rate = Math.max(1, Math.round(rung.frameRate));
  context.timeBase = new Rational(1, rate);
  context.framerate = new Rational(rate, 1);
  context.gopSize = 1_000_000;
  context.maxBFrames = 0;
  // As many threads as x264 likes.
  context.threadCount = 0;
  setOptions(context, {
    preset: "veryfast",
    profile: "baseline",
    crf: "23",
    maxrate: String(rung.bitrateBps),
    bufsize: String(rung.bitrateBps),
    "forced-idr": "1",
    "x264-params": "repeat-headers=1:scenecut=0:open-gop=0:log-level=none",
  });
  context.open2Sync(codec);
  return context;
}
