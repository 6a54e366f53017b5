import type { AbortOptions } from "../core/index.ts";

/** Codecs as named in RTP and in our records. */
export type VideoCodec =
  | "h264"
  | "h265"
  | "vp8"
  | "vp9"
  | "av1"
  | "mpeg1"
  | "mpeg2"
  | "mpeg4"
  | "msmpeg4"
  | "h263"
  | "flv1"
  | "vp6"
  | "theora"
  | "mjpeg"
  | "wmv"
  | "vc1"
  | "dv"
  | "dnxhd"
  | "prores"
  | "ffv1"
  | "unknown";
export type AudioCodec =
  | "opus"
  | "aac"
  | "mp2"
  | "mp3"
  | "ac3"
  | "eac3"
  | "flac"
  | "vorbis"
  | "alac"
  | "dts"
  | "truehd"
  | "amr"
  | "speex"
  | "adpcm"
  | "wavpack"
  | "pcm"
  | "unknown";

/** What happens to a track on its way to a viewer, and why, in words for people. */
export interface TrackVerdict {
  readonly mode: "passthrough" | "transcode" | "unplayable";
  /** For instance "H.264 without B-frames: sent as it is" or "AAC: browsers take no AAC over WebRTC, encoded to Opus". */
  readonly reason: string;
}

interface TrackBase {
  /** Stable within the file: `v0`, `v1`, `a0` … in file order. */
  readonly id: string;
  readonly verdict: TrackVerdict;
  /** Codec with profile and level as in RFC 6381, where known: `avc1.64001f`. */
  readonly codecString: string | undefined;
  readonly durationSeconds: number;
  readonly bitrateBps: number | undefined;
  readonly language: string | undefined;
}

export interface VideoTrackInfo extends TrackBase {
  readonly kind: "video";
  readonly codec: VideoCodec;
  /** Picture size as displayed: rotation and pixel aspect applied. */
  readonly width: number;
  readonly height: number;
  readonly codedWidth: number;
  readonly codedHeight: number;
  /** Degrees clockwise to display. */
  readonly rotation: 0 | 90 | 180 | 270;
  /** Mirrored left to right once it is turned. */
  readonly mirrored: boolean;
  readonly frameRate: number | undefined;
  readonly bFrames: boolean;
}

export interface AudioTrackInfo extends TrackBase {
  readonly kind: "audio";
  readonly codec: AudioCodec;
  readonly channels: number;
  readonly sampleRate: number;
}

export type TrackInfo = VideoTrackInfo | AudioTrackInfo;

/** What a probe finds. JSON: it is stored as the record's media summary and sent to clients as it is. */
export interface MediaInfo {
  readonly container: string;
  readonly durationSeconds: number;
  readonly tracks: readonly TrackInfo[];
  /** False when no track can be played by this node as it is installed. */
  readonly playable: boolean;
  /** Why not, or what is lost. */
  readonly notes: readonly string[];
}

/** Codecs that leave the node over RTP. */
export type RtpCodec = "h264" | "vp8" | "vp9" | "av1" | "opus";

/** One encoding of a track, ready to be packetised. */
export interface RenditionInfo {
  /** `source` for passthrough, else the transcode profile's name. */
  readonly id: string;
  readonly kind: "video" | "audio";
  readonly codec: RtpCodec;
  /** Pixels as encoded; 0 for audio. */
  readonly width: number;
  readonly height: number;
  /** Degrees clockwise that the receiver still has to turn the picture: 0, what is to be turned is encoded anew upright. */
  readonly rotation: 0 | 90 | 180 | 270;
  readonly frameRate: number | undefined;
  readonly channels: number;
  readonly bitrateBps: number | undefined;
  readonly verdict: TrackVerdict;
}

/** A frame of this segment is a keyframe. */
export const FRAME_KEY = 1;
/** No other frame depends on it. */
export const FRAME_DROPPABLE = 2;

/**
 * A run of encoded frames in decode order (which is presentation order: B-frames never get here), at most about a second
 * long and never longer than one GOP. Immutable, shared by all viewers and threads: its bytes lie in shared memory.
 *
 * H.264 frames are NAL units, each after its 4-byte big-endian length, SPS and PPS before each keyframe; VP8, VP9, AV1
 * (low-overhead OBUs without temporal delimiters) and Opus frames are as the codec defines them.
 */
export interface Segment {
  /** Unique in the process: names CID, track, rendition and place. */
  readonly key: string;
  /** Orders a rendition's segments: each is larger than the one before. Not a count: a seek does not know how many precede. */
  readonly index: number;
  /** Presentation time of the first frame, seconds from the start of the media. */
  readonly startSeconds: number;
  /** Where the next segment starts, or the track ends. */
  readonly endSeconds: number;
  /** True when the first frame is a keyframe; always true for audio. */
  readonly startsWithKey: boolean;
  readonly last: boolean;
  readonly frameCount: number;
  /** Frames back to back. */
  readonly data: SharedArrayBuffer;
  /** `frameCount + 1` byte offsets into `data`. */
  readonly offsets: Uint32Array<SharedArrayBuffer>;
  /** Presentation time of each frame, seconds from the start of the media. */
  readonly ptsSeconds: Float64Array<SharedArrayBuffer>;
  /** FRAME_KEY, FRAME_DROPPABLE. */
  readonly flags: Uint8Array<SharedArrayBuffer>;
}

/** Gives a rendition's segments by time. Single flight, cached in the GOP store, shared by all who play the same. */
export interface RenditionSource {
  readonly info: RenditionInfo;
  /** The segment with the keyframe at or before `timeSeconds` (audio: that holds it). Undefined after the end. */
  segmentAt(timeSeconds: number, options?: AbortOptions): Promise<Segment | undefined>;
  /** The segment after `segment`; undefined at the end. */
  segmentAfter(segment: Segment, options?: AbortOptions): Promise<Segment | undefined>;
  /** Nothing is asked of it for now: what works for it may stop. */
  leave?(): void;
  /** How many pictures are left out because the machine cannot encode all: 0 none, 4 all but one a second. */
  readonly paceLevel?: number;
  /** Where it has its first keyframe at or after `seconds`, where that is known without reading on; undefined: nowhere. */
  keyAfter?(seconds: number): number | undefined;
}

/** A rendition that is one of several, any of which may take over at its next keyframe. */
export interface SwitchingSource extends RenditionSource {
  /**
   * The segment with which another rung takes over: it begins with that rung's first keyframe at or after `seconds`.
   * Undefined where none follows. What is played goes on meanwhile: nothing is chosen by it.
   */
  segmentOf(rung: string, seconds: number, options?: AbortOptions): Promise<Segment | undefined>;
  /** The segment of another rung that holds `seconds`; undefined after the end. Nothing is chosen by it. */
  segmentHolding(rung: string, seconds: number, options?: AbortOptions): Promise<Segment | undefined>;
  /** The rung that a segment which it gave came from. */
  rungOf(segment: Segment): string | undefined;
}

/** True for a rendition that {@link SwitchingSource} describes. */
export function isSwitching(source: RenditionSource): source is SwitchingSource {
  return "segmentOf" in source && "rungOf" in source;
}

/** Which rendition of a track is wanted. */
export interface RenditionOptions extends AbortOptions {
  /**
   * Seconds of media that are heard per second, 0.5 to 2, at the sound's own pitch; default 1. Times stay those of the
   * media: a 20 ms frame then stands for 20 ms × tempo of it. Pictures are the same at any tempo.
   */
  readonly tempo?: number;
}

/** An open media file, refcounted: closing the last handle releases GOPs, transcodes and the content hold. */
export interface MediaSource extends AsyncDisposable {
  readonly cid: string;
  readonly info: MediaInfo;
  /** The rendition of a track that a viewer gets. Throws `ENCODER_MISSING` or `UNSUPPORTED_MEDIA` with the verdict's reason. */
  rendition(trackId: string, options?: RenditionOptions): Promise<RenditionSource>;
  /** The encodings to choose from while it plays; undefined where each track has one. */
  readonly ladder?: Ladder | undefined;
  /** Tracks a viewer gets when it names none: the first video and the first audio that play. */
  readonly defaultTrackIds: readonly string[];
  /** What was wrong where reading that track ended early; undefined: nothing that is known by now. */
  damage?(trackId: string): string | undefined;
  close(): Promise<void>;
}

/** One of the encodings to choose from. */
export interface LadderRung {
  readonly name: string;
  /** Pixels; 0 for audio. */
  readonly width: number;
  readonly height: number;
  /** Pictures per second, where known. */
  readonly frameRate: number | undefined;
  /** What it takes on average, where known. */
  readonly bitrateBps: number | undefined;
}

/** The encodings of prepared content, chosen for one handle alone. */
export interface Ladder {
  /** A track's renditions with their figures, in the order of {@link names}. */
  rungs(trackId: string): readonly LadderRung[];
  /** Names of a track's renditions that can follow each other, from the least demanding up. */
  names(trackId: string): readonly string[];
  /** Goes on with that rendition, or with `auto` the best, at the next keyframe. False when there is none of that name. */
  choose(trackId: string, name: string): boolean;
  /** What was chosen; `auto` when nothing was. */
  chosen(trackId: string): string;
}

export interface Media {
  /** Probes a file; the result is cached by CID. `UNSUPPORTED_MEDIA` when it is not media. */
  probe(ref: string, options?: AbortOptions): Promise<MediaInfo>;
  open(ref: string, options?: AbortOptions): Promise<MediaSource>;
  /**
   * The picture shown at a time. `TRACK_NOT_FOUND` without pictures, `ENCODER_MISSING`, `LIMIT_REACHED` while too many are
   * being made.
   */
  frame(ref: string, options?: FrameOptions): Promise<Frame>;
  /** Poster and storyboard that were prepared; undefined where nothing was. */
  previews(ref: string, options?: AbortOptions): Promise<MediaPreviews | undefined>;
  /** How transcoding is done here: the encoder's name and version, or undefined with the reason in `encoderMissing`. */
  readonly encoder: string | undefined;
  readonly encoderMissing: string | undefined;
}

export interface FrameOptions extends AbortOptions {
  /** Default 0; past the end: the last picture. */
  readonly timeSeconds?: number | undefined;
  /** Default: as wide as the pictures. Never enlarged. */
  readonly maxWidth?: number | undefined;
  /** Default `jpeg`. */
  readonly format?: "jpeg" | "png" | undefined;
  /** Default: the first video track that plays. */
  readonly trackId?: string | undefined;
  /** Say where in the file the picture lies: costs a little reading. */
  readonly locate?: boolean | undefined;
}

/** Pictures that were prepared along with a ladder: JPEG files by CID. */
export interface MediaPreviews {
  readonly poster:
    | { readonly cid: string; readonly width: number; readonly height: number; readonly timeSeconds: number }
    | undefined;
  /** Small pictures at equal distances from 0 on, row by row on sheets. */
  readonly storyboard:
    | {
        readonly intervalSeconds: number;
        readonly count: number;
        readonly columns: number;
        readonly rows: number;
        readonly width: number;
        readonly height: number;
        readonly sheets: readonly string[];
      }
    | undefined;
}

/** A single picture of media. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly contentType: "image/jpeg" | "image/png";
  readonly width: number;
  readonly height: number;
  /** When it is shown. */
  readonly timeSeconds: number;
  /** The file it was decoded from: of prepared media the file that was prepared. */
  readonly cid: string;
  readonly trackId: string;
  /** Where it lies in that file; undefined where nobody asked, or its container does not let one packet be found. */
  readonly place?: FramePlace | undefined;
}

/** Bytes of a file that a picture is decoded from: from its keyframe to itself. */
export interface FramePlace {
  readonly from: number;
  /** The byte after the last. */
  readonly to: number;
  /** SHA-256 of those bytes, hex. */
  readonly sha256: string;
}

/** Events of this domain. */
export interface MediaEvents {
  media_probed: { readonly cid: string; readonly info: MediaInfo };
  transcode_started: { readonly cid: string; readonly trackId: string; readonly profile: string };
  transcode_stopped: {
    readonly cid: string;
    readonly trackId: string;
    readonly profile: string;
    readonly reason: string;
  };
  transcode_failed: { readonly cid: string; readonly trackId: string; readonly message: string };
}
