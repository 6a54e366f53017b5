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
import { Tempo } from "./node-av-tempo.ts";
import { JITTER_SAMPLES, OPUS_FRAME_SAMPLES, OPUS_RATE, OpusGrid } from "./opus-grid.ts";

const STEREO = { nbChannels: 2, order: AV_CHANNEL_ORDER_NATIVE, mask: 3n };

/** Any sound to Opus: stereo, 48 kHz, 20 ms frames on a time grid that is the same wherever a job starts. */
export class NodeAvAudio implements Transcoder {
  readonly #decoder: Decoder;
  readonly #encoder: CodecContext;
  readonly #converted = new Frame();
  readonly #grid: OpusGrid;
  /** Seconds of media per second that comes out. */
  readonly #rate: number;
  #tempo: Tempo | undefined;
  /** Place on the grid at which the sound that is still in the tempo filter began, and samples that came out since. */
  #tempoFrom = 0;
  #tempoOut = 0;
  /** Place in the media of the next sample that goes in. */
  #expected: number | undefined;
  readonly #out: Packet[] = [];
  readonly #emit: (frames: readonly Packet[]) => void;
  #resampler: { readonly context: SoftwareResampleContext; readonly format: string } | undefined;

  constructor(spec: AudioJobSpec, emit: (frames: readonly Packet[]) => void) {
    this.#emit = emit;
    this.#rate = spec.tempo;
    this.#decoder = new Decoder(spec.decoder, "audio");
    this.#encoder = openEncoder(spec);
    this.#converted.alloc();
    this.#grid = new OpusGrid(spec.fromUs / spec.tempo, (samples, frame) => this.#encode(samples, frame));
  }

  async push(packets: readonly Packet[]): Promise<void> {
    for (const packet of packets) this.#decoder.decode(packet, frame => this.#sound(frame));
    this.#flushOut();
  }

  async finish(): Promise<void> {
    this.#decoder.decode(undefined, frame => this.#sound(frame));
    this.#resample(null);
    this.#endTempo();
    this.#grid.finish();
    this.#flushOut();
  }

  close(): void {
    this.#decoder.close();
    this.#encoder.freeContext();
    this.#converted.free();
    this.#resampler?.context.free();
    this.#tempo?.close();
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
      this.#expect(Math.round((ptsUs * OPUS_RATE) / 1e6) - waiting);
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
    this.#write(new Float32Array(data.buffer, data.byteOffset, out.nbSamples * 2));
  }

  /** Says at which sample of the media the next sound lies. */
  #expect(position: number): void {
    if (this.#rate === 1) return this.#grid.expect(position);
    const known = this.#expected;
    if (known !== undefined && Math.abs(position - known) <= JITTER_SAMPLES) return;
    // A hole in the sound: what comes after it is stretched by itself.
    this.#endTempo();
    this.#expected = position;
  }

  #write(samples: Float32Array): void {
    if (this.#rate === 1) return this.#grid.write(samples);
    const position = this.#expected ?? 0;
    this.#expected = position + samples.length / 2;
    if (this.#tempo === undefined) {
      this.#tempoFrom = Math.round(position / this.#rate);
      this.#tempoOut = 0;
      this.#tempo = new Tempo(this.#rate, stretched => {
        this.#grid.expect(this.#tempoFrom + this.#tempoOut);
        this.#tempoOut += stretched.length / 2;
        this.#grid.write(stretched);
      });
    }
    this.#tempo.write(samples);
  }

  #endTempo(): void {
    this.#tempo?.finish();
    this.#tempo?.close();
    this.#tempo = undefined;
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
        out(this.#out, data, index * this.#rate);
      }
      packet.unref();
    }
  }
}

function out(list: Packet[], data: Buffer, frames: number): void {
  list.push({
    data: Uint8Array.from(data),
    ptsUs: (frames * OPUS_FRAME_SAMPLES * 1e6) / OPUS_RATE,
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
