import { AV_CHANNEL_ORDER_NATIVE, AV_SAMPLE_FMT_FLT } from "node-av/constants";
import { FFmpegError, Filter, type FilterContext, FilterGraph, Frame } from "node-av/lib";
import { OPUS_RATE } from "./opus-grid.ts";

const STEREO_MASK = 3n;

/** Plays sound faster or slower at its own pitch: stereo, 48 kHz, interleaved. */
export class Tempo {
  readonly #graph = new FilterGraph();
  readonly #source: FilterContext;
  readonly #sink: FilterContext;
  readonly #out = new Frame();
  readonly #onSamples: (samples: Float32Array) => void;
  #written = 0;

  /** `tempo` seconds of sound go into each second that comes out. */
  constructor(tempo: number, onSamples: (samples: Float32Array) => void) {
    this.#onSamples = onSamples;
    this.#graph.alloc();
    const format = `sample_rate=${OPUS_RATE}:sample_fmt=flt:channel_layout=stereo`;
    this.#source = this.#filter("abuffer", `time_base=1/${OPUS_RATE}:${format}`);
    const stretch = this.#filter("atempo", `tempo=${tempo}`);
    this.#sink = this.#filter("abuffersink", null);
    FFmpegError.throwIfError(this.#source.link(0, stretch, 0), "set up the tempo");
    FFmpegError.throwIfError(stretch.link(0, this.#sink, 0), "set up the tempo");
    FFmpegError.throwIfError(this.#graph.configSync(), "set up the tempo");
    this.#out.alloc();
  }

  write(samples: Float32Array): void {
    const nbSamples = samples.length / 2;
    using frame = Frame.fromAudioBuffer(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength), {
      nbSamples,
      format: AV_SAMPLE_FMT_FLT,
      sampleRate: OPUS_RATE,
      channelLayout: { nbChannels: 2, order: AV_CHANNEL_ORDER_NATIVE, mask: STEREO_MASK },
      pts: BigInt(this.#written),
    });
    this.#written += nbSamples;
    FFmpegError.throwIfError(this.#source.buffersrcAddFrameSync(frame), "change the tempo");
    this.#collect();
  }

  /** Gives out what is still inside. */
  finish(): void {
    this.#source.buffersrcAddFrameSync(null);
    this.#collect();
  }

  close(): void {
    this.#out.free();
    this.#graph.free();
  }

  #filter(name: string, init: string | null): FilterContext {
    const filter = Filter.getByName(name);
    const context = filter === null ? null : this.#graph.createFilter(filter, name, init);
    if (context === null) throw new Error(`The encoder was built without ${name}`);
    return context;
  }

  #collect(): void {
    while (this.#sink.buffersinkGetFrameSync(this.#out) >= 0) {
      const data = this.#out.data?.[0];
      if (data !== undefined) {
        this.#onSamples(new Float32Array(data.buffer, data.byteOffset, this.#out.nbSamples * 2));
      }
      this.#out.unref();
    }
  }
}
