import type { ManifestRendition, ManifestTrack } from "@cidcast/protocols/media-manifest";
import { type AbortOptions, CidcastError } from "../../core/index.ts";
import type { SegmentCache } from "../store/segment-cache.ts";
import type {
  LadderRung,
  MediaInfo,
  RenditionInfo,
  RenditionSource,
  TrackInfo,
  TrackVerdict,
} from "../types.ts";
import { readManifest, readSegments } from "./manifest-reader.ts";
import { PreparedSource } from "./prepared-source.ts";
import type { PrepareContent } from "./types.ts";

/** An open manifest. */
export interface PreparedMedia {
  /** CID of the file it was made from. */
  readonly source: string;
  readonly info: MediaInfo;
  /** Names of a track's renditions, from the least demanding up. */
  qualities(trackId: string): readonly string[];
  /** The same with their figures. */
  rungs(trackId: string): readonly LadderRung[];
  /** A rendition by name; without one the best. `TRACK_NOT_FOUND`; `CORRUPT_MEDIA` when its list is not whole. */
  rendition(trackId: string, options?: AbortOptions & { readonly name?: string }): Promise<RenditionSource>;
}

const PREPARED: TrackVerdict = { mode: "passthrough", reason: "Prepared: sent as it is" };

/** Opens a manifest by its root. `UNSUPPORTED_MEDIA` when it is none. */
export async function openPrepared(
  init: {
    readonly content: Pick<PrepareContent, "blocks" | "open">;
    readonly cache: SegmentCache;
    readonly root: string;
  },
  options: AbortOptions = {},
): Promise<PreparedMedia> {
  const { content, cache, root } = init;
  const manifest = await readManifest(content, root, options);
  const trackOf = (id: string): ManifestTrack => {
    const track = manifest.tracks.find(candidate => candidate.id === id);
    if (track === undefined) throw new CidcastError("TRACK_NOT_FOUND", `${root} has no track ${id}`);
    return track;
  };
  return {
    source: manifest.source,
    info: {
      container: "media manifest",
      durationSeconds: manifest.duration / 1e6,
      tracks: manifest.tracks.map(trackInfo),
      playable: true,
      notes: [],
    },
    qualities: id => ordered(trackOf(id)).map(rendition => rendition.name),
    rungs: id => ordered(trackOf(id)).map(rungInfo),
    async rendition(id, { name, ...rest } = {}) {
      const track = trackOf(id);
      const list = ordered(track);
      const rendition = name === undefined ? list.at(-1) : list.find(candidate => candidate.name === name);
      if (rendition === undefined) {
        throw new CidcastError("TRACK_NOT_FOUND", `${id} of ${root} has no rendition ${name ?? ""}`);
      }
      return new PreparedSource({
        name: `${root}/${id}/${rendition.name}`,
        info: renditionInfo(rendition),
        durationUs: track.duration,
        segments: await readSegments(content, root, rendition, rest),
        content,
        cache,
      });
    },
  };
}

/**
 * Renditions that can follow each other, from the least demanding up: those of one codec, the one with most of them; among
 * equals H.264, which every browser takes.
 */
function ordered(track: ManifestTrack): ManifestRendition[] {
  const list: readonly ManifestRendition[] = track.renditions;
  const counts = new Map<ManifestRendition["codec"], number>();
  for (const { codec } of list)
    counts.set(codec, (counts.get(codec) ?? 0) + 1 + Number(codec === "h264") / 2);
  const [[codec] = []] = [...counts].sort(([, a], [, b]) => b - a);
  return list.filter(rendition => rendition.codec === codec).sort((a, b) => a.bitrate - b.bitrate);
}

function rungInfo(rendition: ManifestRendition): LadderRung {
  const { id, width, height, frameRate, bitrateBps } = renditionInfo(rendition);
  return { name: id, width, height, frameRate, bitrateBps: bitrateBps === 0 ? undefined : bitrateBps };
}

function renditionInfo(rendition: ManifestRendition): RenditionInfo {
  const video = rendition.codec === "opus" ? undefined : rendition;
  return {
    id: rendition.name,
    kind: video === undefined ? "audio" : "video",
    codec: rendition.codec,
    width: video?.width ?? 0,
    height: video?.height ?? 0,
    rotation: 0,
    frameRate: video === undefined || video.frameRate === 0 ? undefined : video.frameRate / 1000,
    channels: rendition.codec === "opus" ? rendition.channels : 0,
    bitrateBps: rendition.bitrate,
    verdict: PREPARED,
  };
}

/** A track as its best rendition shows it. */
function trackInfo(track: ManifestTrack): TrackInfo {
  const best = ordered(track).at(-1);
  const shared = {
    id: track.id,
    verdict: PREPARED,
    codecString: undefined,
    durationSeconds: track.duration / 1e6,
    bitrateBps: best?.bitrate,
    language: track.language,
  };
  if (track.kind === "audio" || best === undefined || best.codec === "opus") {
    const channels = best?.codec === "opus" ? best.channels : 2;
    return { ...shared, kind: "audio", codec: "opus", channels, sampleRate: 48_000 };
  }
  const { width, height, frameRate } = best;
  return {
    ...shared,
    kind: "video",
    codec: best.codec,
    width,
    height,
    codedWidth: width,
    codedHeight: height,
    rotation: 0,
    mirrored: false,
    frameRate: frameRate === 0 ? undefined : frameRate / 1000,
    bFrames: false,
  };
}
