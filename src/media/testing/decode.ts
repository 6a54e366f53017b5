import { SoftwareResampleContext, type Frame } from "node-av/lib";
import { AV_CHANNEL_ORDER_NATIVE, AV_SAMPLE_FMT_FLT, type AVSampleFormat } from "node-av/constants";
import { splitLengthPrefixed } from "../demux/nal.ts";
import { Decoder } from "../transcode/child/node-av-decoder.ts";
import { createHash } from "node:crypto";
import { FRAME_DROPPABLE, type Segment } from "../types.ts";
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

/** Decodes segments of a sample and reads the frame number that each picture shows, so many rows from its bottom. */
export function shownFrames(
  segments: readonly Segment[],
  fromBottom = 16,
  codec = "h264",
): { readonly pts: number; readonly shown: number }[] {
  const out: { pts: number; shown: number }[] = [];
  decodePictures(segments, { codec }, frame => {
    out.push({ pts: Number(frame.bestEffortTimestamp) / 1e6, shown: readStrip(frame, fromBottom) });
  });
  return out;
}

/** Pictures of segments by their time, each as a hash of its brightness; on request without those that can be left out. */
export function pictureHashes(
  segments: readonly Segment[],
  options: { readonly codec: string; readonly without?: "droppable" },
): Map<number, string> {
  const out = new Map<number, string>();
  decodePictures(segments, options, frame => {
    const hash = createHash("sha256");
    const stride = frame.linesize[0] ?? 0;
    const luma = frame.data?.[0];
    for (let row = 0; row < frame.height; row++) {
      hash.update(luma?.subarray(row * stride, row * stride + frame.width) ?? "");
    }
    out.set(Number(frame.bestEffortTimestamp), hash.digest("hex"));
  });
  return out;
}

/** The first picture of H.264 segments: its size, and which corners are light. */
export function firstPicture(segments: readonly Segment[]) {
  const out: { width: number; height: number; light: string[] }[] = [];
  decodePictures(segments.slice(0, 1), { codec: "h264" }, frame => {
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

function decodePictures(
  segments: readonly Segment[],
  { codec, without }: { readonly codec: string; readonly without?: "droppable" },
  take: (frame: Frame) => void,
): void {
  const decoder = new Decoder(
    { codec, flavour: codec, codecString: codec, width: 0, height: 0, channels: 0, sampleRate: 0 },
    "video",
  );
  for (const segment of segments) {
    for (const [i, frame] of framesOf(segment).entries()) {
      if (without === "droppable" && segment.flags[i] === FRAME_DROPPABLE) continue;
      const data = codec === "h264" ? annexB(frame) : frame;
      decoder.decode({ data, ptsUs: (segment.ptsSeconds[i] ?? 0) * 1e6, key: false }, take);
    }
  }
  decoder.decode(undefined, take);
  decoder.close();
}

function annexB(frame: Uint8Array): Uint8Array {
  const nals = splitLengthPrefixed(frame, 4) ?? [];
  return Buffer.concat(nals.flatMap(nal => [Buffer.from([0, 0, 0, 1]), nal]));
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
