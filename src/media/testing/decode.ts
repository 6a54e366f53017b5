import { SoftwareResampleContext, type Frame } from "node-av/lib";
import { AV_CHANNEL_ORDER_NATIVE, AV_SAMPLE_FMT_FLT, type AVSampleFormat } from "node-av/constants";
import { splitLengthPrefixed } from "../demux/nal.ts";
import { Decoder } from "../transcode/child/node-av-decoder.ts";
import type { Segment } from "../types.ts";
import { framesOf } from "./harness.ts";

const STEREO = { nbChannels: 2, order: AV_CHANNEL_ORDER_NATIVE, mask: 3n };

/** Cells of the strip at the lower edge of the samples' pictures, each one bit of the frame number. */
const STRIP_BITS = 16;

/** What a decoded picture of a sample shows: its frame number, read from the strip. */
function readStrip(frame: Frame, fromBottom: number): number {
  const luma = frame.data?.[0];
  const stride = frame.linesize[0];
  if (luma === undefined || stride === undefined) throw new Error("a picture without data");
  const row = (frame.height - fromBottom) * stride;
  let number = 0;
  for (let bit = 0; bit < STRIP_BITS; bit++) {
    const column = Math.floor(((bit + 0.5) * frame.width) / STRIP_BITS);
    number = number * 2 + ((luma[row + column] ?? 0) > 128 ? 1 : 0);
  }
  return number;
}

/** Decodes H.264 segments of a sample and reads the frame number that each picture shows, so many rows from its bottom. */
export function shownFrames(
  segments: readonly Segment[],
  fromBottom = 16,
): { readonly pts: number; readonly shown: number }[] {
  const out: { pts: number; shown: number }[] = [];
  decodeH264(segments, frame => {
    out.push({ pts: Number(frame.bestEffortTimestamp) / 1e6, shown: readStrip(frame, fromBottom) });
  });
  return out;
}

/** The first picture of H.264 segments: its size, and which corners are light. */
export function firstPicture(segments: readonly Segment[]) {
  const out: { width: number; height: number; light: string[] }[] = [];
  decodeH264(segments.slice(0, 1), frame => {
    const { width, height } = frame;
    const luma = frame.data?.[0];
    const stride = frame.linesize[0] ?? 0;
    const at = (x: number, y: number): number =>
      luma?.[Math.floor(y * height) * stride + Math.floor(x * width)] ?? 0;
    // A third in from the edges: the strip stays outside.
    const corners = {
      "upper left": [0.3, 0.3],
      "upper right": [0.7, 0.3],
      "lower left": [0.3, 0.7],
      "lower right": [0.7, 0.7],
    };
    const light = Object.entries(corners).flatMap(([name, [x = 0, y = 0]]) => (at(x, y) > 130 ? [name] : []));
    out.push({ width, height, light });
  });
  return out[0];
}

function decodeH264(segments: readonly Segment[], take: (frame: Frame) => void): void {
  const decoder = new Decoder(
    { codec: "h264", flavour: "avc", codecString: "avc1", width: 0, height: 0, channels: 0, sampleRate: 0 },
    "video",
  );
  for (const segment of segments) {
    for (const [i, frame] of framesOf(segment).entries()) {
      const nals = splitLengthPrefixed(frame, 4) ?? [];
      const data = Buffer.concat(nals.flatMap(nal => [Buffer.from([0, 0, 0, 1]), nal]));
      decoder.decode({ data, ptsUs: (segment.ptsSeconds[i] ?? 0) * 1e6, key: false }, take);
    }
  }
  decoder.decode(undefined, take);
  decoder.close();
}

/** Decodes Opus segments as a receiver does, to one channel at 48 kHz; sample 0 belongs to the first frame's time. */
export function decodeOpus(segments: readonly Segment[]): Float32Array {
  const decoder = new Decoder(
    {
      codec: "opus",
      flavour: "opus",
      codecString: "opus",
      width: 0,
      height: 0,
      channels: 2,
      sampleRate: 48_000,
    },
    "audio",
  );
  const left: number[] = [];
  let resampler: SoftwareResampleContext | undefined;
  const take = (frame: Frame): void => {
    if (resampler === undefined) {
      resampler = new SoftwareResampleContext();
      const format = frame.format as AVSampleFormat;
      resampler.allocSetOpts2(STEREO, AV_SAMPLE_FMT_FLT, 48_000, STEREO, format, frame.sampleRate);
      resampler.init();
    }
    const planes = frame.data ?? [];
    const plane = planes[0];
    if (plane === undefined) return;
    const out = Buffer.alloc(frame.nbSamples * 8);
    const samples = resampler.convertSync([out], frame.nbSamples, planes, frame.nbSamples);
    const floats = new Float32Array(out.buffer, out.byteOffset, samples * 2);
    for (let i = 0; i < samples; i++) left.push(floats[2 * i] ?? 0);
  };
  for (const segment of segments) {
    for (const [i, data] of framesOf(segment).entries()) {
      decoder.decode({ data, ptsUs: (segment.ptsSeconds[i] ?? 0) * 1e6, key: true }, take);
    }
  }
  decoder.decode(undefined, take);
  decoder.close();
  return Float32Array.from(left);
}

/** Times at which sound begins after silence, seconds. */
export function onsets(samples: Float32Array, threshold = 0.1): number[] {
  const out: number[] = [];
  let quietUntil = 0;
  for (let i = 0; i < samples.length; i++) {
    if (Math.abs(samples[i] ?? 0) < threshold) continue;
    if (i >= quietUntil) out.push(i / 48_000);
    quietUntil = i + 4800;
  }
  return out;
}
