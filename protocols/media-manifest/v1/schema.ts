import { z } from "zod";

/**
 * Media manifests: a media file as tracks, renditions and segments, each a link that is verified by its hash.
 * See spec.md beside this file. Times and durations are microseconds; readers pass over fields they do not know.
 */

/** What the `kind` of a root says. */
export const MANIFEST_KIND = "media-manifest";

/** What is signed: these bytes (UTF-8), then the bytes of the root's CID. */
export const SIGNATURE_PREFIX = "cidcast media-manifest v1:";

/** Most segments of one page. A page of so many stays under 256 KiB. */
export const PAGE_MAX_SEGMENTS = 512;
/** Most pages of one rendition: three days of segments of four seconds. */
export const MAX_PAGES = 128;
/** Most tracks of a manifest. */
export const MAX_TRACKS = 64;
/** Most renditions of a track. */
export const MAX_RENDITIONS = 16;
/** Most GOPs of one segment. */
export const SEGMENT_MAX_GOPS = 512;
/** Largest segment, bytes. */
export const SEGMENT_MAX_BYTES = 64 * 1024 * 1024;
/** Largest block of a manifest, root or page, bytes. */
export const MANIFEST_BLOCK_MAX_BYTES = 1024 * 1024;

/** Most sheets of a storyboard. */
export const MAX_SHEETS = 256;
/** Most chapters. */
export const MAX_CHAPTERS = 1000;

/** A link, as dag-cbor decoders hand it out. */
export interface Link {
  readonly bytes: Uint8Array;
  toString(): string;
}

const link = z.custom<Link>(
  value =>
    typeof value === "object" && value !== null && "bytes" in value && value.bytes instanceof Uint8Array,
  "must be a link",
);
const microseconds = z.number().int().min(0);
const count = z.number().int().min(0);
const name = z.string().min(1).max(64);

/** A run of whole GOPs in one file. */
export const manifestSegment = z.looseObject({
  cid: link,
  /** Where its time begins; the next one begins where its duration ends, or later. */
  start: microseconds,
  duration: z.number().int().positive(),
  bytes: z.number().int().positive().max(SEGMENT_MAX_BYTES),
  /** Keyframe index: `[time, offset]` of each GOP, both rising, the first offset 0. */
  gops: z
    .array(z.tuple([microseconds, count]))
    .min(1)
    .max(SEGMENT_MAX_GOPS),
});
export type ManifestSegment = z.output<typeof manifestSegment>;

/** A block of segments of one rendition. */
export const manifestPage = z.looseObject({
  segments: z.array(manifestSegment).min(1).max(PAGE_MAX_SEGMENTS),
});
export type ManifestPage = z.output<typeof manifestPage>;

const renditionBase = {
  name,
  bitrate: count.describe("Bits per second, at most or on average."),
  bytes: count.describe("Bytes of all segments."),
  segments: count.describe("How many segments its pages hold."),
  pages: z.array(link).min(1).max(MAX_PAGES),
};

const videoRendition = z.looseObject({
  ...renditionBase,
  codec: z.enum(["h264", "vp8", "vp9", "av1"]),
  width: z.number().int().positive(),
  height: z.number().int().positive(),
  frameRate: count.describe("Pictures per 1000 seconds; 0 where it is not known."),
});

const audioRendition = z.looseObject({
  ...renditionBase,
  codec: z.literal("opus"),
  channels: z.number().int().positive().max(8),
});

const trackBase = {
  id: name,
  language: z.string().max(64).optional(),
  duration: microseconds,
};

/** One track of the source and its encodings. */
export const manifestTrack = z.discriminatedUnion("kind", [
  z.looseObject({
    ...trackBase,
    kind: z.literal("video"),
    renditions: z.array(videoRendition).min(1).max(MAX_RENDITIONS),
  }),
  z.looseObject({
    ...trackBase,
    kind: z.literal("audio"),
    renditions: z.array(audioRendition).min(1).max(MAX_RENDITIONS),
  }),
]);
export type ManifestTrack = z.output<typeof manifestTrack>;
export type ManifestRendition = ManifestTrack["renditions"][number];

/** A picture that stands for the media. */
export const manifestPoster = z.looseObject({
  cid: link,
  type: z.literal("image/jpeg"),
  width: z.number().int().positive(),
  height: z.number().int().positive(),
  bytes: count,
  time: microseconds,
});
export type ManifestPoster = z.output<typeof manifestPoster>;

/** Small pictures at equal distances, many to a sheet, row by row. */
export const manifestStoryboard = z.looseObject({
  /** Distance of two pictures. */
  interval: z.number().int().positive(),
  width: z.number().int().positive(),
  height: z.number().int().positive(),
  columns: z.number().int().positive().max(64),
  rows: z.number().int().positive().max(64),
  /** Pictures on all sheets. */
  count: z.number().int().positive(),
  sheets: z
    .array(z.looseObject({ cid: link, bytes: count }))
    .min(1)
    .max(MAX_SHEETS),
});
export type ManifestStoryboard = z.output<typeof manifestStoryboard>;

/** Captions as a WebVTT file. */
export const manifestCaptions = z.looseObject({
  id: name,
  cid: link,
  bytes: count,
  language: z.string().max(64).optional(),
  label: z.string().max(256).optional(),
});
export type ManifestCaptions = z.output<typeof manifestCaptions>;

/** The root of a manifest. */
export const mediaManifest = z.looseObject({
  kind: z.literal(MANIFEST_KIND),
  version: z.literal(1),
  /** CID of the file it was made from, as text: no link, so that the manifest is whole without it. */
  source: z.string().min(1).max(512),
  duration: microseconds,
  tracks: z.array(manifestTrack).min(1).max(MAX_TRACKS),
  captions: z.array(manifestCaptions).max(MAX_TRACKS).optional(),
  chapters: z
    .array(z.looseObject({ start: microseconds, title: z.string().max(1024) }))
    .max(MAX_CHAPTERS)
    .optional(),
  /** Title, artist and the like, by lower-case name. */
  tags: z.record(z.string().max(64), z.string().max(4096)).optional(),
  poster: manifestPoster.optional(),
  storyboard: manifestStoryboard.optional(),
});
export type MediaManifest = z.output<typeof mediaManifest>;

/** A signature beside a manifest: a block of its own, which links to the root. */
export const manifestSignature = z.looseObject({
  manifest: link,
  /** The signer's public key in libp2p's protobuf. */
  publicKey: z.custom<Uint8Array>(value => value instanceof Uint8Array),
  signature: z.custom<Uint8Array>(value => value instanceof Uint8Array),
});
export type ManifestSignature = z.output<typeof manifestSignature>;
