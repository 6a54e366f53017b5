export { createMedia, type MediaComponents, type MediaInit } from "./media.ts";
export { MAX_RATE, MediaClock, type MediaClockInit, MIN_RATE, type MonotonicClock } from "./media-clock.ts";
export type {
  AudioCodec,
  AudioTrackInfo,
  Media,
  MediaEvents,
  MediaInfo,
  MediaSource,
  RenditionInfo,
  RenditionSource,
  RtpCodec,
  Segment,
  TrackInfo,
  TrackVerdict,
  VideoCodec,
  VideoTrackInfo,
} from "./types.ts";
export { FRAME_DROPPABLE, FRAME_KEY } from "./types.ts";
