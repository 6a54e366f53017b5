import { once } from "node:events";
import type { Writable } from "node:stream";
import {
  AUDIO_CODECS,
  type AudioCodec,
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedVideoPacketSource,
  MkvOutputFormat,
  Output,
  StreamTarget,
  VIDEO_CODECS,
  type VideoCodec,
} from "mediabunny";
import type { DecoderSpec, LiveJobSpec, Packet } from "../protocol.ts";

function isVideoCodec(name: string): name is VideoCodec {
  return (VIDEO_CODECS as readonly string[]).includes(name);
}

function isAudioCodec(name: string): name is AudioCodec {
  return (AUDIO_CODECS as readonly string[]).includes(name);
}

/** Writes packets of one track as a Matroska stream, each as soon as it comes. */
export class MatroskaWriter {
  readonly #output: Output;
  readonly #add: (packet: Packet) => Promise<void>;
  readonly #shiftSeconds: number;
  #started: Promise<void> | undefined;

  constructor(spec: LiveJobSpec, out: Writable, shiftSeconds: number) {
    this.#shiftSeconds = shiftSeconds;
    const writable = new WritableStream<{ readonly data: Uint8Array }>({
      async write({ data }) {
        if (!out.write(Uint8Array.from(data))) await once(out, "drain");
      },
      close: () => void out.end(),
    });
    this.#output = new Output({
      format: new MkvOutputFormat({ appendOnly: true, minimumClusterDuration: 0 }),
      target: new StreamTarget(writable),
    });
    this.#add = spec.kind === "video" ? this.#video(spec.decoder) : this.#audio(spec.decoder);
  }

  async write(packets: readonly Packet[]): Promise<void> {
    await (this.#started ??= this.#output.start());
    for (const packet of packets) await this.#add(packet);
  }

  async end(): Promise<void> {
    await (this.#started ??= this.#output.start());
    await this.#output.finalize();
  }

  #packet({ data, ptsUs, key }: Packet): EncodedPacket {
    return new EncodedPacket(data, key ? "key" : "delta", ptsUs / 1e6 + this.#shiftSeconds, 0);
  }

  #video(decoder: DecoderSpec): (packet: Packet) => Promise<void> {
    if (!isVideoCodec(decoder.flavour)) throw new Error(`Matroska cannot carry ${decoder.codec} here`);
    const source = new EncodedVideoPacketSource(decoder.flavour);
    this.#output.addVideoTrack(source);
    const decoderConfig = {
      codec: decoder.codecString,
      codedWidth: decoder.width,
      codedHeight: decoder.height,
      ...(decoder.description === undefined ? {} : { description: decoder.description }),
    };
    return packet => source.add(this.#packet(packet), { decoderConfig });
  }

  #audio(decoder: DecoderSpec): (packet: Packet) => Promise<void> {
    if (!isAudioCodec(decoder.flavour)) throw new Error(`Matroska cannot carry ${decoder.codec} here`);
    const source = new EncodedAudioPacketSource(decoder.flavour);
    this.#output.addAudioTrack(source);
    const decoderConfig = {
      codec: decoder.codecString,
      numberOfChannels: decoder.channels,
      sampleRate: decoder.sampleRate,
      ...(decoder.description === undefined ? {} : { description: decoder.description }),
    };
    return packet => source.add(this.#packet(packet), { decoderConfig });
  }
}
