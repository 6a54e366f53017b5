import type { AbortOptions } from "../../core/index.ts";

/** A stretch of text with its time, and where its bytes lie. */
export interface Cue {
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** Plain text, lines apart by `\n`; WebVTT's tags are left out. */
  readonly text: string;
  /** Byte range of the cue in the file of {@link CaptionTrack.cid}; the end is the byte after the last. */
  readonly from: number;
  readonly to: number;
  /** SHA-256 of those bytes, hex. */
  readonly sha256: string;
}

/** Captions of a media file: a track inside it, or a file of their own that was attached. */
export interface CaptionTrack {
  /** `s0`, `s1` … inside the file, `x` and the attached file's CID outside. */
  readonly id: string;
  /** The file that the cues lie in. */
  readonly cid: string;
  readonly format: CaptionFormat;
  /** As the file or who attached it says. */
  readonly language: string | undefined;
  readonly label: string | undefined;
}

export type CaptionFormat = "webvtt" | "srt" | "tx3g" | "wvtt" | "matroska";

/** A part of the media with a name. */
export interface Chapter {
  readonly startSeconds: number;
  readonly title: string;
}

/** Text inside a media file, apart from its tracks. */
export interface EmbeddedText {
  readonly captions: readonly CaptionTrack[];
  /** In order of time. */
  readonly chapters: readonly Chapter[];
  /** Title, artist and the like, by lower-case name. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface CuesOptions extends AbortOptions {
  /** Only cues that are on between these, seconds. */
  readonly fromSeconds?: number | undefined;
  readonly untilSeconds?: number | undefined;
}
