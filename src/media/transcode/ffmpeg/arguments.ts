import type { AudioJobSpec, LiveJobSpec, VideoJobSpec } from "../protocol.ts";
import { OPUS_FRAME_SAMPLES, OPUS_RATE } from "../child/opus-grid.ts";
import { turnFilters } from "../turn.ts";

/**
 * All times are moved up by this for ffmpeg, seconds: sound that begins before 0 keeps its place, and a whole number
 * keeps the grid of keyframes where it is.
 */
export const TIME_SHIFT_SECONDS = 10;

/** Ticks per second of the pictures that come back. */
const VIDEO_TIMESCALE = 90_000;

/** Samples by which libopus delays sound at 48 kHz: cut that much later, packets lie on the 20 ms grid. */
const OPUS_DELAY_SAMPLES = 312;

/** What ffmpeg is told for a job: Matroska comes in by the standard input, fragmented MP4 goes out. */
export function ffmpegArguments(spec: LiveJobSpec): string[] {
  return [
    ["-hide_banner"],
    ["-loglevel", "error"],
    ["-copyts"],
    ["-analyzeduration", "0", "-probesize", "32768"],
    ["-f", "matroska", "-i", "pipe:0"],
    spec.kind === "video" ? videoArguments(spec) : audioArguments(spec),
    ["-avoid_negative_ts", "disabled", "-strict", "-2"],
    ["-movflags", "+empty_moov+default_base_moof+frag_every_frame+frag_discont"],
    ["-flush_packets", "1", "-f", "mp4", "pipe:1"],
  ].flat();
}

function videoArguments(spec: VideoJobSpec): string[] {
  const from = spec.fromUs / 1e6 + TIME_SHIFT_SECONDS;
  const gap = spec.minFrameGapUs / 1e6;
  const gop = spec.gopUs / 1e6;
  // Half a millisecond: Matroska rounds to milliseconds.
  const wanted = `gte(t,${from - 0.0005})*(isnan(prev_selected_t)+gte(t-prev_selected_t,${gap}))`;
  // Turned first: the size is that of the turned pictures.
  const shape = [...(turnFilters(spec) ?? []), `scale=${spec.width}:${spec.height}`, "setsar=1"];
  const filters = [`select='${wanted}'`, ...shape, "format=yuv420p"];
  const place = (time: string): string => `floor((${time}+0.0005)/${gop})`;
  return [
    ["-an", "-sn", "-vf", filters.join(","), "-vsync", "passthrough"],
    ["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-profile:v", "baseline"],
    ["-threads", "1", "-bf", "0", "-g", "1000000", "-crf", "23"],
    ["-maxrate", String(spec.maxBitrateBps), "-bufsize", String(spec.maxBitrateBps)],
    ["-force_key_frames", `expr:if(isnan(prev_forced_t),1,gt(${place("t")},${place("prev_forced_t")}))`],
    ["-x264-params", "repeat-headers=1:scenecut=0:open-gop=0", "-forced-idr", "1"],
    ["-video_track_timescale", String(VIDEO_TIMESCALE)],
  ].flat();
}

function audioArguments(spec: AudioJobSpec): string[] {
  return [
    ["-vn", "-sn", "-af", (spec.tempo === 1 ? placed(spec) : stretched(spec)).join(","), "-ac", "2"],
    ["-c:a", "libopus", "-b:a", String(spec.bitrateBps), "-frame_duration", "20", "-application", "audio"],
  ].flat();
}

function placed(spec: AudioJobSpec): string[] {
  const first = Math.round((spec.fromUs / 1e6 + TIME_SHIFT_SECONDS) * OPUS_RATE) + OPUS_DELAY_SAMPLES;
  return [evenTimes(first), `atrim=start_pts=${first}`];
}

/** Sound at another rate: what comes out lies on a grid of 20 ms of its own, which begins at 0 in the media too. */
function stretched({ fromUs, tempo }: AudioJobSpec): string[] {
  const index = Math.max(0, Math.ceil((fromUs * OPUS_RATE) / 1e6 / tempo / OPUS_FRAME_SAMPLES));
  const first = index * OPUS_FRAME_SAMPLES;
  const inMedia = Math.round(first * tempo + TIME_SHIFT_SECONDS * OPUS_RATE);
  return [
    evenTimes(inMedia),
    `atrim=start_pts=${inMedia}`,
    `atempo=${tempo}`,
    `atrim=start_sample=${OPUS_DELAY_SAMPLES}`,
    // Counted, so that the filter's own reckoning of time does not matter.
    `asetpts=N+${first + OPUS_DELAY_SAMPLES + TIME_SHIFT_SECONDS * OPUS_RATE}`,
  ];
}

/** 48 kHz from that sample on, with silence where sound is missing. */
function evenTimes(first: number): string {
  return `aresample=${OPUS_RATE}:async=1:min_hard_comp=0.04:first_pts=${first}`;
}
