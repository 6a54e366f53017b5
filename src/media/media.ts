import type { Blocks, Content } from "../content/index.ts";
import {
  type AbortOptions,
  CidcastError,
  type Clock,
  type EventPublisher,
  type Logger,
  type Metrics,
  type Service,
  toCidcastError,
} from "../core/index.ts";
import { Frames } from "./frames.ts";
import { GOP_STORE_MAX_BYTES, PROBE_CACHE_MAX_ENTRIES } from "./limits.ts";
import { createLibraryDemuxer } from "./demux/library/library-demuxer.ts";
import { declareMetrics } from "./metrics.ts";
import { Ladders } from "./prepare/ladders.ts";
import type { ManifestTrust } from "./prepare/manifest-trust.ts";
import { type OpenFile, OpenFiles } from "./source/open-files.ts";
import { openSource } from "./source/source.ts";
import { GopStore, type Stored } from "./store/gop-store.ts";
import { type EncoderChoice, findEncoder } from "./transcode/encoder.ts";
import type { TranscodeTrack } from "./transcode/transcode-track.ts";
import { Transcoding, type TranscodingInit } from "./transcode/transcoding.ts";
import type { Media, MediaEvents, MediaInfo, MediaSource, TrackInfo } from "./types.ts";

export interface MediaInit extends TranscodingInit {
  /** Encoded media kept for all viewers together, bytes. */
  readonly gopStoreMaxBytes?: number | undefined;
  /** An ffmpeg program to encode with instead of the node-av library. */
  readonly ffmpegPath?: string | undefined;
  /** False: nothing is transcoded, whatever is installed. */
  readonly transcode?: boolean | undefined;
}

export interface MediaComponents {
  /** Without blocks nothing but files is played. */
  readonly content: Pick<Content, "resolve" | "open" | "hold"> & { readonly blocks?: Blocks | undefined };
  /** The manifest that was prepared of a file; undefined where there is none. */
  readonly manifestOf?: ((cid: string) => Promise<string | undefined>) | undefined;
  /** Whose manifests are played; undefined: signatures are not read. */
  readonly trust?: ManifestTrust | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventPublisher<MediaEvents>;
  readonly clock: Clock;
}

/** The media domain: probes files and gives their tracks in the form that goes to viewers. */
export function createMedia(init: MediaInit): (components: MediaComponents) => Media & Service {
  return components => {
    const log = components.log.child({ part: "media" });
    const encoder = chooseEncoder(init);
    const encoderMissing = encoder.kind === "none" ? encoder.reason : undefined;
    let storeBytes = (): number => 0;
    const metrics = declareMetrics(components.metrics, () => storeBytes());
    const store = new GopStore<Stored>(init.gopStoreMaxBytes ?? GOP_STORE_MAX_BYTES, metrics);
    storeBytes = () => store.bytes;
    const { clock, events } = components;
    const transcoding = new Transcoding(init, { encoder, store, metrics, events, clock, log });
    const { pool } = transcoding;
    const files = new OpenFiles({
      content: components.content,
      log,
      encoderMissing: () => encoderMissing,
      library: hasLibrary(init) ? createLibraryDemuxer({ pool, clock, log }) : undefined,
    });
    const transcode = sharedTranscodes(transcoding);
    const { content, manifestOf } = components;
    const frames = new Frames({ pool: transcoding.pool, clock, log });
    const ladders = new Ladders({ content, manifestOf, trust: components.trust, openFile, store, log });
    const probed = new Map<string, MediaInfo>();
    const sources = new Set<MediaSource>();

    const remember = (cid: string, info: MediaInfo): void => {
      if (probed.has(cid)) return;
      if (probed.size >= PROBE_CACHE_MAX_ENTRIES) probed.delete(probed.keys().next().value ?? "");
      probed.set(cid, info);
      metrics.probes.add(1, { result: "ok" });
      components.events.publish("media_probed", { cid, info });
    };
    const acquire = async (cid: string, options: AbortOptions) => {
      try {
        const reference = await files.acquire(cid, options);
        remember(cid, reference.file.info);
        return reference;
      } catch (error) {
        metrics.probes.add(1, { result: toCidcastError(error).code });
        throw error;
      }
    };

    return {
      name: "media",
      encoder: encoder.kind === "none" ? undefined : encoder.name,
      encoderMissing,
      async probe(ref, options = {}) {
        const root = ladders.rootIn(ref);
        if (root !== undefined) return ladders.probe(root, options);
        const { cid } = await content.resolve(ref, options);
        const known = probed.get(cid);
        if (known !== undefined) return known;
        const reference = await acquire(cid, options);
        await reference.release();
        return reference.file.info;
      },
      async open(ref, options = {}) {
        const root = ladders.rootIn(ref);
        if (root !== undefined)
          return opened(await ladders.open(await ladders.trusted(root), root, closed, options));
        const { cid } = await content.resolve(ref, options);
        const prepared = await ladders.openOf(cid, closed, options);
        if (prepared !== undefined) return opened(prepared);
        return openFile(cid, options);
      },
      async previews(ref, options = {}) {
        const root = ladders.rootIn(ref);
        const cid =
          root === undefined ? (await content.resolve(ref, options)).cid : await ladders.trusted(root);
        return ladders.previewsOf(cid, options);
      },
      async frame(ref, options = {}) {
        if (encoder.kind !== "node-av")
          throw new CidcastError("ENCODER_MISSING", encoderMissing ?? NEEDS_LIBRARY);
        const root = ladders.rootIn(ref);
        // Pictures of a manifest are those of the file it was made from.
        const named = root === undefined ? ref : await ladders.sourceOf(await ladders.trusted(root), options);
        const { cid } = await content.resolve(named, options);
        const reference = await acquire(cid, options);
        try {
          return await frames.make(reference, options);
        } finally {
          await reference.release();
        }
      },
      async start() {
        transcoding.start();
      },
      async stop() {
        await Promise.all([...sources].map(source => source.close()));
        await transcoding.stop();
        store.clear();
      },
    };

    async function openFile(cid: string, options: AbortOptions = {}): Promise<MediaSource> {
      const reference = await acquire(cid, options);
      const source = openSource({ reference, store, log, transcode, onClose: () => closed(source) });
      transcoding.expect(transcodesOf(source));
      return opened(source);
    }

    function opened(source: MediaSource): MediaSource {
      sources.add(source);
      metrics.openSources.set(sources.size);
      return source;
    }

    function closed(source: MediaSource): void {
      sources.delete(source);
      metrics.openSources.set(sources.size);
    }
  };
}

const NEEDS_LIBRARY =
  "Single pictures are made with the node-av library: run `npm install node-av` and unset FFMPEG_PATH";

/** How many of the tracks that a viewer gets are transcoded. */
function transcodesOf(source: MediaSource): number {
  const wanted = source.info.tracks.filter(track => source.defaultTrackIds.includes(track.id));
  return wanted.filter(track => track.verdict.mode === "transcode").length;
}

/** FFmpeg's demuxer comes with the library, also where an ffmpeg program encodes. */
function hasLibrary(init: MediaInit): boolean {
  return init.transcode !== false && findEncoder({}).kind === "node-av";
}

function chooseEncoder(init: MediaInit): EncoderChoice {
  if (init.transcode === false) return { kind: "none", reason: "Transcoding is switched off on this node" };
  return findEncoder({ ffmpegPath: init.ffmpegPath });
}

/** Transcodes of the tracks of open files: each one once, ended before its file closes. */
function sharedTranscodes(transcoding: Transcoding) {
  const byFile = new WeakMap<OpenFile, Map<string, Promise<TranscodeTrack>>>();
  return (file: OpenFile, track: TrackInfo, tempo: number): Promise<TranscodeTrack> => {
    const key = `${track.id}@${tempo}`;
    const input = file.tracks.get(track.id);
    if (input === undefined) {
      return Promise.reject(new CidcastError("TRACK_NOT_FOUND", `${file.cid} has no track ${track.id}`));
    }
    let tracks = byFile.get(file);
    if (tracks === undefined) {
      tracks = new Map();
      byFile.set(file, tracks);
    }
    let shared = tracks.get(key);
    if (shared === undefined) {
      shared = transcoding.track({ cid: file.cid, info: track, input, tempo, damage: file.damage });
      tracks.set(key, shared);
      shared
        .then(made => file.beforeClose.add(() => made.stop("the last handle was closed")))
        .catch(() => undefined);
    }
    return shared;
  };
}
