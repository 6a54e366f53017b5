import {
  AV_PIX_FMT_YUV420P,
  FF_ENCODER_LIBSVTAV1,
  FF_ENCODER_LIBVPX_VP9,
  FF_ENCODER_LIBX264,
  type FFVideoEncoder,
} from "node-av/constants";
import { Codec, CodecContext, FFmpegError, Rational } from "node-av/lib";
import type { LadderRung } from "../../protocol.ts";
import { setOptions } from "../node-av-decoder.ts";

/** Longest distance between keyframes that the encoder would choose itself, pictures: never reached, all are forced. */
const NO_OWN_KEYFRAMES = 1_000_000;

/** Share of a rate that the pictures get on which others build, where every second one is droppable. */
const BASE_LAYER_SHARE = 0.6;

type Options = Readonly<Record<string, string>>;

/** How pictures of a codec are encoded: one after the other, none reordered or hidden, the same on every machine. */
const ENCODERS: Readonly<
  Record<
    LadderRung["codec"],
    { readonly name: FFVideoEncoder; readonly options: (bitrateBps: number) => Options }
  >
> = {
  h264: {
    name: FF_ENCODER_LIBX264,
    options: bitrateBps => ({
      preset: "veryfast",
      profile: "baseline",
      crf: "23",
      maxrate: String(bitrateBps),
      bufsize: String(bitrateBps),
      "forced-idr": "1",
      "x264-params": "repeat-headers=1:scenecut=0:open-gop=0:log-level=none",
    }),
  },
  vp9: { name: FF_ENCODER_LIBVPX_VP9, options: vp9Options },
  av1: {
    name: FF_ENCODER_LIBSVTAV1,
    options: bitrateBps => ({
      b: String(bitrateBps),
      preset: "10",
      // Low delay at a constant rate: no picture waits for a later one. Three layers in time; those of the topmost, every
      // second picture, are kept by no other.
      "svtav1-params": "pred-struct=1:rc=2:hierarchical-levels=2:scd=0:lp=1",
    }),
  },
};

/**
 * Two layers in time: every second picture changes no reference. In error-resilient mode neither does it change what the
 * entropy coder has learnt, so that it can be left out. libvpx has layers at a constant rate alone.
 */
function vp9Options(bitrateBps: number): Options {
  const rate = String(bitrateBps);
  const kilobits = Math.max(2, Math.round(bitrateBps / 1000));
  const layers = [
    "ts_number_layers=2",
    `ts_target_bitrate=${Math.round(kilobits * BASE_LAYER_SHARE)},${kilobits}`,
    "ts_rate_decimator=2,1",
    "ts_periodicity=2",
    "ts_layer_id=0,1",
    "ts_layering_mode=2",
  ];
  return {
    b: rate,
    minrate: rate,
    maxrate: rate,
    bufsize: rate,
    deadline: "realtime",
    "cpu-used": "6",
    "lag-in-frames": "0",
    "auto-alt-ref": "0",
    "error-resilient": "1",
    "row-mt": "0",
    "aq-mode": "3",
    "ts-parameters": layers.join(":"),
  };
}

/** Opens the encoder of a rung. */
export function openEncoder(rung: LadderRung): CodecContext {
  const { name, options } = ENCODERS[rung.codec];
  const codec = Codec.findEncoderByName(name);
  if (codec === null) throw new Error(`The encoder was built without ${name}`);
  const context = new CodecContext();
  context.allocContext3(codec);
  context.width = rung.width;
  context.height = rung.height;
  context.pixelFormat = AV_PIX_FMT_YUV420P;
  const rate = Math.max(1, Math.round(rung.frameRate));
  context.timeBase = new Rational(1, rate);
  context.framerate = new Rational(rate, 1);
  context.gopSize = NO_OWN_KEYFRAMES;
  context.maxBFrames = 0;
  // More than one would make the outcome depend on the machine.
  context.threadCount = 1;
  setOptions(context, options(rung.maxBitrateBps));
  FFmpegError.throwIfError(context.open2Sync(codec), `open the ${rung.codec} encoder`);
  return context;
}
