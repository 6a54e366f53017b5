import { CidcastError, type Clock, type Logger } from "../../../core/index.ts";
import { MAX_DEMUX_PROCESSES, MAX_TRACKS } from "../../limits.ts";
import type { EncoderPool } from "../../transcode/jobs/encoder-pool.ts";
import type { Demuxed, LibraryDemuxer } from "../media-file.ts";
import type { DemuxedTrack } from "../track.ts";
import { libraryAudioCodec, libraryVideoCodec } from "./codecs.ts";
import { LibraryLink } from "./library-link.ts";
import { CursorNumbers, LibraryReader } from "./library-packets.ts";
import type { FoundTrack } from "./protocol.ts";

/** Seconds after which a viewer that was refused may try again. */
const BUSY_RETRY_SECONDS = 5;

/** FFmpeg's demuxer, with a process for each file that is open. */
export function createLibraryDemuxer(components: {
  readonly pool: Pick<EncoderPool, "take" | "giveBack">;
  readonly clock: Clock;
  readonly log: Logger;
  /** Files open at a time. */
  readonly maxOpen?: number;
}): LibraryDemuxer {
  const { maxOpen = MAX_DEMUX_PROCESSES } = components;
  let open = 0;
  return {
    async open(init) {
      if (open >= maxOpen) {
        throw new CidcastError(
          "BUSY",
          `This node reads ${maxOpen} files of rarer kinds at a time, and viewers use all of that`,
          { details: { limit: maxOpen }, retryAfterSeconds: BUSY_RETRY_SECONDS },
        );
      }
      open += 1;
      const link = new LibraryLink({ ...init, ...components });
      let closed = false;
      const close = async (): Promise<void> => {
        if (!closed) open -= 1;
        closed = true;
        await link.close();
      };
      try {
        const { tracks, pictures } = await link.open();
        if (tracks.length === 0 && pictures === 0) {
          throw new CidcastError("CORRUPT_MEDIA", `${init.cid} is ${init.format.label} without any track`);
        }
        const numbers = new CursorNumbers();
        const demuxed: Demuxed = {
          container: init.format.label,
          tracks: tracks.slice(0, MAX_TRACKS).map(track => demuxedTrack(track, link, numbers)),
          pictures,
          close,
        };
        return demuxed;
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

function demuxedTrack(found: FoundTrack, link: LibraryLink, numbers: CursorNumbers): DemuxedTrack {
  const base = {
    codecString: found.codecString,
    durationSeconds: found.durationUs / 1e6,
    bitrateBps: found.bitrateBps > 0 ? found.bitrateBps : undefined,
    language: found.language,
    decodable: found.decodable,
    setup: {
      flavour: found.codec,
      description: found.description,
      libraryCodec: { id: found.codecId, tag: found.codecTag, bitsPerSample: found.bitsPerSample },
    },
    packets: (onDamage: (error: unknown) => void, maxFrameBytes?: number) =>
      new LibraryReader({ link, track: found.index, numbers, onDamage, maxFrameBytes }),
  };
  if (found.kind === "audio") {
    const { channels, sampleRate } = found;
    return { ...base, kind: "audio", codec: libraryAudioCodec(found.codec), channels, sampleRate };
  }
  const { rotation, mirrored, pixelAspect, width, height } = found;
  const shown = [
    Math.max(1, Math.round(width * Math.max(1, pixelAspect))),
    Math.max(1, Math.round(height / Math.min(1, pixelAspect))),
  ] as const;
  const [across = width, down = height] = rotation % 180 === 0 ? shown : shown.toReversed();
  return {
    ...base,
    kind: "video",
    codec: libraryVideoCodec(found.codec),
    width: across,
    height: down,
    codedWidth: width,
    codedHeight: height,
    squarePixels: pixelAspect === 1,
    rotation,
    mirrored,
    indexed: false,
    sample: {
      reordered: found.reordered,
      frameRate: found.frameRate > 0 ? found.frameRate : undefined,
      packets: 1,
    },
  };
}
