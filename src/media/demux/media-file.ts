import {
  ADTS,
  CustomSource,
  FLAC,
  Input,
  type InputFormat,
  type InputTrack,
  MATROSKA,
  MP3,
  MP4,
  MPEG_TS,
  OGG,
  QTFF,
  UnsupportedInputFormatError,
  WAVE,
  WEBM,
} from "mediabunny";
import type { ContentFile } from "../../content/index.ts";
import { CidcastError, type Logger, messageOf } from "../../core/index.ts";
import { DEMUX_CACHE_BYTES, MAX_TRACKS } from "../limits.ts";
import { checkSampleTables } from "./sample-tables.ts";

/** Containers that are read. HLS is left out: its playlists name addresses, and a file must not make the node fetch them. */
const FORMATS: InputFormat[] = [MP4, QTFF, MATROSKA, WEBM, WAVE, OGG, FLAC, MP3, ADTS, MPEG_TS];

/** How much may be read of a file; counted while set. */
export interface ReadBudget {
  bytes: number;
  reads: number;
}

/** A media file that is open for reading packets. */
export interface MediaFile {
  readonly file: ContentFile;
  readonly container: string;
  readonly tracks: readonly InputTrack[];
  /** Ends reading and gives the file back. */
  close(): Promise<void>;
}

/** Makes what a demuxer throws one of our errors; those of the content layer pass as they are. */
export function demuxError(error: unknown, cid: string): unknown {
  if (error instanceof CidcastError) return error;
  if (error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError")) return error;
  if (error instanceof UnsupportedInputFormatError) {
    return new CidcastError("UNSUPPORTED_MEDIA", `${cid} is not a media file of a kind this node reads`, {
      cause: error,
    });
  }
  return new CidcastError("CORRUPT_MEDIA", `${cid} cannot be read as media: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Opens `file`, which it then owns. With a budget, reading ends in `CORRUPT_MEDIA` once that is used up. */
export async function openMediaFile(
  file: ContentFile,
  init: { readonly log: Logger; readonly budget?: ReadBudget },
): Promise<{ readonly media: MediaFile; readonly unlimited: () => void }> {
  const closed = new AbortController();
  let budget = init.budget;
  const source = new CustomSource({
    getSize: () => file.size,
    read: (start, end) => {
      if (budget !== undefined) {
        budget.bytes -= end - start;
        budget.reads -= 1;
        if (budget.bytes < 0 || budget.reads < 0) {
          throw new CidcastError(
            "CORRUPT_MEDIA",
            `Finding out what ${file.cid} holds takes too much reading`,
          );
        }
      }
      return file.read(start, end, { signal: closed.signal });
    },
    maxCacheSize: DEMUX_CACHE_BYTES,
    prefetchProfile: "network",
    handleUnhandledError: error => init.log.debug({ cid: file.cid, err: error }, "read ahead failed"),
  });
  const input = new Input({ formats: FORMATS, source });
  const close = async (): Promise<void> => {
    closed.abort(new CidcastError("ABORTED", `${file.cid} was closed`));
    input.dispose();
    await file.close();
  };
  try {
    if (file.size === 0) throw new UnsupportedInputFormatError();
    await checkSampleTables(file);
    const container = (await input.getFormat()).name;
    const tracks = (await input.getTracks()).slice(0, MAX_TRACKS);
    return { media: { file, container, tracks, close }, unlimited: () => (budget = undefined) };
  } catch (error) {
    await close();
    throw demuxError(error, file.cid);
  }
}
