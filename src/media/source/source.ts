import { CidcastError, type Logger, messageOf } from "../../core/index.ts";
import { formatterFor } from "../demux/frame-format.ts";
import type { FileReference, OpenFile } from "./open-files.ts";
import { PassthroughSource } from "./passthrough-source.ts";
import type { GopStore, Stored } from "../store/gop-store.ts";
import { segmentCache } from "../store/segment-cache.ts";
import type { TranscodeReader, TranscodeTrack } from "../transcode/transcode-track.ts";
import type {
  MediaSource,
  RenditionInfo,
  RenditionOptions,
  RenditionSource,
  RtpCodec,
  TrackInfo,
} from "../types.ts";

export interface SourceInit {
  readonly reference: FileReference;
  readonly store: GopStore<Stored>;
  readonly log: Logger;
  /** The transcode of a track of this file, shared by all its handles. */
  readonly transcode: (file: OpenFile, track: TrackInfo, tempo: number) => Promise<TranscodeTrack>;
  readonly onClose: () => void;
}

/** Codecs that leave the node as they are. */
const RTP_CODECS: ReadonlySet<string> = new Set(["h264", "vp8", "vp9", "av1", "opus"]);

function isRtpCodec(codec: string): codec is RtpCodec {
  return RTP_CODECS.has(codec);
}

/** A handle on an open file: its renditions live as long as it does. */
export function openSource(init: SourceInit): MediaSource {
  const { reference, store, log } = init;
  const { cid, info, tracks, damage } = reference.file;
  const readers: TranscodeReader[] = [];
  let closing: Promise<void> | undefined;

  const passthrough = async (track: TrackInfo): Promise<RenditionSource> => {
    const input = tracks.get(track.id);
    if (input === undefined || !isRtpCodec(track.codec)) {
      throw new CidcastError("TRACK_NOT_FOUND", `${cid} has no track ${track.id}`);
    }
    return new PassthroughSource({
      name: `${cid}/${track.id}/source`,
      info: sourceRendition(track, track.codec),
      durationSeconds: track.durationSeconds,
      packets: input.packets(error => {
        damage.set(track.id, messageOf(error));
        log.warn({ cid, track: track.id, err: error }, "the file is damaged here, playing ends early");
      }),
      format: formatterFor(track.codec, input.setup.description),
      cache: segmentCache(store),
    });
  };

  return {
    cid,
    info,
    defaultTrackIds: defaultTracks(info.tracks),
    damage: trackId => damage.get(trackId),
    async rendition(trackId: string, options: RenditionOptions = {}) {
      options.signal?.throwIfAborted();
      if (closing !== undefined) throw new CidcastError("CONFLICT", `The handle on ${cid} is closed`);
      const track = info.tracks.find(candidate => candidate.id === trackId);
      if (track === undefined) throw new CidcastError("TRACK_NOT_FOUND", `${cid} has no track ${trackId}`);
      const tempo = track.kind === "audio" ? (options.tempo ?? 1) : 1;
      if (track.verdict.mode === "passthrough" && tempo === 1) return passthrough(track);
      if (track.verdict.mode === "unplayable") {
        throw new CidcastError("UNSUPPORTED_MEDIA", `${cid} ${trackId}: ${track.verdict.reason}`);
      }
      const reader = (await init.transcode(reference.file, track, tempo)).reader();
      readers.push(reader);
      if (closing !== undefined) reader.close();
      return reader;
    },
    close,
    [Symbol.asyncDispose]: close,
  };

  function close(): Promise<void> {
    closing ??= (async () => {
      init.onClose();
      for (const reader of readers) reader.close();
      await reference.release();
    })();
    return closing;
  }
}

/** The first video and the first audio that play. */
function defaultTracks(tracks: readonly TrackInfo[]): string[] {
  const playable = tracks.filter(track => track.verdict.mode !== "unplayable");
  const first = (kind: TrackInfo["kind"]) => playable.find(track => track.kind === kind)?.id;
  return [first("video"), first("audio")].filter(id => id !== undefined);
}

function sourceRendition(track: TrackInfo, codec: RtpCodec): RenditionInfo {
  const video = track.kind === "video" ? track : undefined;
  return {
    id: "source",
    kind: track.kind,
    codec,
    width: video?.codedWidth ?? 0,
    height: video?.codedHeight ?? 0,
    rotation: video?.rotation ?? 0,
    frameRate: video?.frameRate,
    channels: track.kind === "audio" ? track.channels : 0,
    bitrateBps: track.bitrateBps,
    verdict: track.verdict,
  };
}
