import {
  AV_CHANNEL_ORDER_NATIVE,
  AV_PIX_FMT_YUV420P,
  AV_SAMPLE_FMT_FLT,
  type AVPixelFormat,
  type AVSampleFormat,
  SWS_BILINEAR,
} from "node-av/constants";
import { FFmpegError, Frame, SoftwareResampleContext, SoftwareScaleContext } from "node-av/lib";

/** Size of clips, pixels, unless another is asked for. */
export const CLIP_WIDTH = 320;
export const CLIP_HEIGHT = 180;
export const CLIP_SIZE: readonly [width: number, height: number] = [CLIP_WIDTH, CLIP_HEIGHT];
/** Samples per second of all clips. */
export const CLIP_RATE = 48_000;

const STRIP_BITS = 16;
const STRIP_HEIGHT = 32;
const BACKGROUND = 60;
/** Luma of the upper left quarter: tells which way up a picture is. */
const MARK = 200;

/** Native channel layouts by number of channels. */
const MASKS: Readonly<Record<number, bigint>> = { 1: 4n, 2: 3n, 6: 0x3fn };

export function layoutOf(channels: number) {
  return { nbChannels: channels, order: AV_CHANNEL_ORDER_NATIVE, mask: MASKS[channels] ?? 3n };
}

/**
 * Picture number `index`: its number as black and white cells along the lower edge, the upper left quarter light; stretched
 * to another size where one is given.
 */
export function clipPicture(index: number, format: AVPixelFormat, size = CLIP_SIZE): Frame {
  const [width, height] = size;
  const data = Buffer.alloc((CLIP_WIDTH * CLIP_HEIGHT * 3) / 2, 128);
  data.fill(BACKGROUND, 0, CLIP_WIDTH * CLIP_HEIGHT);
  for (let y = 0; y < CLIP_HEIGHT; y++) {
    const row = y * CLIP_WIDTH;
    if (y < CLIP_HEIGHT / 2) data.fill(MARK, row, row + CLIP_WIDTH / 2);
    if (y < CLIP_HEIGHT - STRIP_HEIGHT) continue;
    for (let bit = 0; bit < STRIP_BITS; bit++) {
      const cell = CLIP_WIDTH / STRIP_BITS;
      const on = ((index >> (STRIP_BITS - 1 - bit)) & 1) === 1;
      data.fill(on ? 235 : 16, row + bit * cell, row + (bit + 1) * cell);
    }
  }
  const drawn = Frame.fromVideoBuffer(data, {
    width: CLIP_WIDTH,
    height: CLIP_HEIGHT,
    format: AV_PIX_FMT_YUV420P,
    pts: BigInt(index),
    timeBase: { num: 1, den: 1 },
  });
  if (format === AV_PIX_FMT_YUV420P && width === CLIP_WIDTH && height === CLIP_HEIGHT) return drawn;
  const scaler = new SoftwareScaleContext();
  scaler.getContext(CLIP_WIDTH, CLIP_HEIGHT, AV_PIX_FMT_YUV420P, width, height, format, SWS_BILINEAR);
  const out = new Frame();
  out.alloc();
  out.width = width;
  out.height = height;
  out.format = format;
  FFmpegError.throwIfError(out.getBuffer(), "make room for a picture");
  FFmpegError.throwIfError(scaler.scaleFrameSync(out, drawn), "convert a picture");
  scaler.freeContext();
  drawn.free();
  out.pts = BigInt(index);
  return out;
}

/** Samples of a tone that is the same on all channels, in the format of an encoder. */
export function clipSound(
  first: number,
  samples: number,
  as: { readonly channels: number; readonly format: AVSampleFormat },
): Frame {
  const data = Buffer.alloc(samples * as.channels * 4);
  for (let i = 0; i < samples; i++) {
    const value = 0.3 * Math.sin((2 * Math.PI * 440 * (first + i)) / CLIP_RATE);
    for (let c = 0; c < as.channels; c++) data.writeFloatLE(value, 4 * (i * as.channels + c));
  }
  const channelLayout = layoutOf(as.channels);
  const tone = Frame.fromAudioBuffer(data, {
    nbSamples: samples,
    format: AV_SAMPLE_FMT_FLT,
    sampleRate: CLIP_RATE,
    channelLayout,
    pts: BigInt(first),
    timeBase: { num: 1, den: CLIP_RATE },
  });
  if (as.format === AV_SAMPLE_FMT_FLT) return tone;
  const resampler = new SoftwareResampleContext();
  resampler.allocSetOpts2(channelLayout, as.format, CLIP_RATE, channelLayout, AV_SAMPLE_FMT_FLT, CLIP_RATE);
  FFmpegError.throwIfError(resampler.init(), "start the resampler");
  const out = new Frame();
  out.alloc();
  out.format = as.format;
  out.sampleRate = CLIP_RATE;
  out.channelLayout = channelLayout;
  FFmpegError.throwIfError(resampler.convertFrame(out, tone), "convert samples");
  resampler.free();
  tone.free();
  out.pts = BigInt(first);
  return out;
}
