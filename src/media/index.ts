export { decodePicture } from "./decode/decode-picture.ts";
export { type AttachOptions, type Captions, createCaptions } from "./captions/captions.ts";
export { writeWebVtt } from "./captions/parse-text.ts";
export type { CaptionTrack, Chapter, Cue, CuesOptions, EmbeddedText } from "./captions/types.ts";
export { createMedia, type MediaComponents, type MediaInit } from "./media.ts";
export { MAX_RATE, MediaClock, type MediaClockInit, MIN_RATE, type MonotonicClock } from "./media-clock.ts";
export { LADDER_CODECS, type LadderCodec, PRESET_NAMES, type PresetName } from "./prepare/ladder.ts";
export { mediaMigrations } from "./prepare/migrations.ts";
export { createPrepare, type PrepareComponents, type PrepareInit } from "./prepare/prepare.ts";
export type {
  JobOwner,
  JobProgress,
  JobState,
  Prepare,
  PrepareEvents,
  PrepareJob,
  PrepareOptions,
  Signer,
} from "./prepare/types.ts";
export type {
  AudioCodec,
  AudioTrackInfo,
  Frame,
  FrameOptions,
  FramePlace,
  Ladder,
  LadderRung,
  Media,
  MediaEvents,
  MediaInfo,
  MediaPreviews,
  MediaSource,
  RenditionInfo,
  RenditionSource,
  RtpCodec,
  Segment,
  SwitchingSource,
  TrackInfo,
  TrackVerdict,
  VideoCodec,
  VideoTrackInfo,
} from "./types.ts";
export { EARLY_END_SECONDS } from "./limits.ts";
export { FRAME_DROPPABLE, FRAME_KEY, isSwitching } from "./types.ts";
