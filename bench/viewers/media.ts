import { writeFile } from "node:fs/promises";
import {
  ALL_FORMATS,
  EncodedAudioPacketSource,
  type EncodedPacket,
  EncodedPacketSink,
  EncodedVideoPacketSource,
  FilePathSource,
  FilePathTarget,
  Input,
  type InputTrack,
  Mp4OutputFormat,
  Output,
} from "mediabunny";

/** What each viewer is sent, bits per second of video. */
const VIDEO_BPS = 2_500_000;
const CABAC_ZERO_WORD = Buffer.from([0, 0, 3]);

export interface BenchMedia {
  readonly mp4: string;
  /** The same frames for the Go programs: kind, milliseconds, length, bytes. */
  readonly frames: string;
}

/** The sample, so many times over, with its frames filled up to 2.5 Mbit/s, which its own pictures do not need. */
export async function makeMedia(sample: string, directory: string, times = 1): Promise<BenchMedia> {
  const input = new Input({ source: new FilePathSource(sample), formats: ALL_FORMATS });
  const [video, audio] = [await input.getPrimaryVideoTrack(), await input.getPrimaryAudioTrack()];
  const [videoConfig, audioConfig] = [await video?.getDecoderConfig(), await audio?.getDecoderConfig()];
  if (video === null || audio === null || !videoConfig || !audioConfig)
    throw new Error(`${sample} has no tracks`);
  const { averagePacketRate, averageBitrate } = await video.computePacketStats();
  const fillerBytes = Math.round((VIDEO_BPS - averageBitrate) / 8 / averagePacketRate);
  const mp4 = `${directory}/viewers.mp4`;
  const output = new Output({ format: new Mp4OutputFormat(), target: new FilePathTarget(mp4) });
  const [videoOut, audioOut] = [new EncodedVideoPacketSource("avc"), new EncodedAudioPacketSource("opus")];
  output.addVideoTrack(videoOut, { frameRate: averagePacketRate });
  output.addAudioTrack(audioOut);
  await output.start();
  const all: { readonly kind: number; readonly ms: number; readonly data: Buffer }[] = [];
  const parameters = parameterSets(videoConfig.description);
  for await (const packet of repeated(video, times)) {
    const data = filled(Buffer.from(packet.data), fillerBytes);
    await videoOut.add(packet.clone({ data }), { decoderConfig: videoConfig });
    const key = packet.type === "key" ? parameters : Buffer.alloc(0);
    all.push({ kind: 0, ms: packet.timestamp * 1000, data: Buffer.concat([key, annexB(data)]) });
  }
  for await (const packet of repeated(audio, times)) {
    await audioOut.add(packet.clone({ type: "key" }), { decoderConfig: audioConfig });
    all.push({ kind: 1, ms: packet.timestamp * 1000, data: Buffer.from(packet.data) });
  }
  await output.finalize();
  const frames = `${directory}/viewers.frames`;
  await writeFile(frames, Buffer.concat(all.toSorted((a, b) => a.ms - b.ms).flatMap(record)));
  return { mp4, frames };
}

/** A track's packets so many times over, one after the other. */
async function* repeated(track: InputTrack, times: number): AsyncGenerator<EncodedPacket> {
  const seconds = await track.computeDuration();
  for (let time = 0; time < times; time++) {
    for await (const packet of new EncodedPacketSink(track).packets())
      yield packet.clone({ timestamp: packet.timestamp + time * seconds });
  }
}

function record({ kind, ms, data }: { kind: number; ms: number; data: Buffer }): Buffer[] {
  const head = Buffer.alloc(16);
  head[0] = kind;
  head.writeDoubleLE(ms, 4);
  head.writeUInt32LE(data.length, 12);
  return [head, data];
}

/**
 * A frame whose last slice has so many bytes more of `cabac_zero_word`, which decoders pass over. A message of its own
 * before the slices (SEI) would not do: browsers do not find the start of such frames once a packet comes late.
 * @see ITU-T H.264, 7.3.2.8 and 9.3.1.2
 */
function filled(frame: Buffer, bytes: number): Buffer {
  let last = 0;
  for (let at = 0; at + 4 <= frame.length; at += 4 + frame.readUInt32BE(at)) last = at;
  const filler = Buffer.alloc(
    Math.ceil(bytes / CABAC_ZERO_WORD.length) * CABAC_ZERO_WORD.length,
    CABAC_ZERO_WORD,
  );
  const out = Buffer.concat([frame, filler]);
  out.writeUInt32BE(frame.readUInt32BE(last) + filler.length, last);
  return out;
}

function annexB(data: Buffer): Buffer {
  const out = Buffer.from(data);
  for (let at = 0; at + 4 <= out.length; ) {
    const length = out.readUInt32BE(at);
    out.writeUInt32BE(1, at);
    at += 4 + length;
  }
  return out;
}

/** SPS and PPS of an `avcC` as Annex B. */
function parameterSets(description: unknown): Buffer {
  if (!(description instanceof Uint8Array)) throw new Error("the sample has no parameter sets");
  const avcc = Buffer.from(description);
  const parts: Buffer[] = [];
  let at = 5;
  for (const mask of [31, 255]) {
    const count = (avcc[at++] ?? 0) & mask;
    for (let i = 0; i < count; i++) {
      const length = avcc.readUInt16BE(at);
      parts.push(Buffer.from([0, 0, 0, 1]), avcc.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
  }
  return Buffer.concat(parts);
}
