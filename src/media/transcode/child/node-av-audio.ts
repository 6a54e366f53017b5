import {
  AV_CHANNEL_ORDER_NATIVE,
  AV_SAMPLE_FMT_FLT,
  type AVSampleFormat,
  FF_ENCODER_LIBOPUS,
} from "node-av/constants";
import {
  avChannelLayoutDefault,
  Codec,
  CodecContext,
  FFmpegError,
  Frame,
  Packet as AvPacket,
  Rational,
  SoftwareResampleContext,
} from "node-av/lib";
import type { AudioJobSpec, Packet } from "../protocol.ts";
import type { Transcoder } from "./backend.ts";
import { Decoder, frameTimeUs, setOptions } from "./node-av-decoder.ts";
import { OPUS_FRAME_SAMPLES, OPUS_RATE, OpusGrid } from "./opus-grid.ts";

const STEREO = { nbChannels: 2, order: AV_CHANNEL_ORDER_NATIVE, mask: 3n };

/** Any sound to Opus: stereo, 48 kHz, 20 ms frames on a time grid that is the same wherever a job starts. */
export class NodeAvAudio implements Transcoder {
  readonly #decoder: Decoder;
  readonly #encoder: CodecContext;
  readonly #converted = new Frame();
  readonly #grid: OpusGrid;
  readonly #out: Packet[] = [];
  readonly #emit: (frames: readonly Packet[]) => void;
  #resampler: { readonly context: SoftwareResampleContext; readonly format: string } | undefined;

  constructor(spec: AudioJobSpec, emit: (frames: readonly Packet[]) => void) {
    this.#emit = emit;
    this.#decoder = new Decoder(spec.decoder, "audio");
    this.#encoder = openEncoder(spec);
    this.#converted.alloc();
    this.#grid = new OpusGrid(spec.fromUs, (samples, frame) => this.#encode(samples, frame));
  }

  async push(packets: readonly Packet[]): Promise<void> {
    for (const packet of packets) this.#decoder.decode(packet, frame => this.#sound(frame));
    this.#flushOut();
  }

  async finish(): Promise<void> {
    this.#decoder.decode(undefined, frame => this.#sound(frame));
    this.#resample(null);
    this.#grid.finish();
    this.#flushOut();
  }

  close(): void {
    this.#decoder.close();
    this.#encoder.freeContext();
    this.#converted.free();
    this.#resampler?.context.free();
  }

  #flushOut(): void {
    if (this.#out.length > 0) this.#emit(this.#out.splice(0));
  }

  #sound(frame: Frame): void {
    const ptsUs = frameTimeUs(frame);
    const layout =
      frame.channelLayout.mask === 0n ? avChannelLayoutDefault(frame.channels) : frame.channelLayout;
    // An audio frame's format is a sample format.
    const format = frame.format as AVSampleFormat;
    const name = `${format}:${frame.sampleRate}:${layout.mask}`;
    if (this.#resampler?.format !== name) {
      this.#resample(null);
      this.#resampler?.context.free();
      const context = new SoftwareResampleContext();
      FFmpegError.throwIfError(
        context.allocSetOpts2(STEREO, AV_SAMPLE_FMT_FLT, OPUS_RATE, layout, format, frame.sampleRate),
        "set up the resampler",
      );
      FFmpegError.throwIfError(context.init(), "start the resampler");
      this.#resampler = { context, format: name };
    }
    frame.channelLayout = layout;
    if (ptsUs !== undefined) {
      const waiting = Number(this.#resampler.context.getDelay(BigInt(OPUS_RATE)));
      this.#grid.expect(Math.round((ptsUs * OPUS_RATE) / 1e6) - waiting);
    }
    this.#resample(frame);
  }

  /** Converts a frame, or with null what the resampler still holds, onto the grid. */
  #resample(frame: Frame | null): void {
    if (this.#resampler === undefined) return;
    const out = this.#converted;
    out.unref();
    out.format = AV_SAMPLE_FMT_FLT;
    out.sampleRate = OPUS_RATE;
    out.channelLayout = STEREO;
    const result = this.#resampler.context.convertFrame(out, frame);
    if (frame !== null) FFmpegError.throwIfError(result, "resample");
    const data = out.data?.[0];
    if (result < 0 || data === undefined || out.nbSamples === 0) return;
    this.#grid.write(new Float32Array(data.buffer, data.byteOffset, out.nbSamples * 2));
  }

  #encode(samples: Float32Array, index: number): void {
    using frame = Frame.fromAudioBuffer(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength), {
      nbSamples: OPUS_FRAME_SAMPLES,
      format: AV_SAMPLE_FMT_FLT,
      sampleRate: OPUS_RATE,
      channelLayout: STEREO,
      pts: BigInt(index) * BigInt(OPUS_FRAME_SAMPLES),
    });
    FFmpegError.throwIfError(this.#encoder.sendFrameSync(frame), "encode sound");
    using packet = new AvPacket();
    packet.alloc();
    while (this.#encoder.receivePacketSync(packet) >= 0) {
      const { data } = packet;
      if (data !== null && index >= this.#grid.firstIndex) {
        out(this.#out, data, index);
      }
      packet.unref();
    }
  }
}

function out(list: Packet[], data: Buffer, index: number): void {
  list.push({
    data: Uint8Array.from(data),
    ptsUs: (index * OPUS_FRAME_SAMPLES * 1e6) / OPUS_RATE,
    key: true,
  });
}

function openEncoder(spec: AudioJobSpec): CodecContext {
  const codec = Codec.findEncoderByName(FF_ENCODER_LIBOPUS);
  if (codec === null) throw new Error("The encoder was built without Opus");
  const context = new CodecContext();
  context.allocContext3(codec);
  context.sampleRate = OPUS_RATE;
  context.channelLayout = STEREO;
  context.sampleFormat = AV_SAMPLE_FMT_FLT;
  context.bitRate = BigInt(spec.bitrateBps);
  context.timeBase = new Rational(1, OPUS_RATE);
  setOptions(context, { frame_duration: "20", application: "audio" });
  FFmpegError.throwIfError(context.open2Sync(codec), "open the Opus encoder");
  return context;
}
