import {
  ADTS,
  CustomSource,
  FLAC,
  Input,
  type InputFormat,
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
import { DEMUX_CACHE_BYTES, DEMUX_READS_KEPT, MAX_TRACKS } from "../limits.ts";
import { bunnyTracks } from "./bunny.ts";
import { boundResync } from "./bunny-resync.ts";
import { type LibraryFormat, libraryFormatOf, SIGNATURE_BYTES } from "./library/formats.ts";
import { checkSampleTables } from "./sample-tables.ts";
import type { DemuxedTrack } from "./track.ts";

/** Containers that are read. HLS is left out: its playlists name addresses, and a file must not make the node fetch them. */
const FORMATS: InputFormat[] = [MP4, QTFF, MATROSKA, WEBM, WAVE, OGG, FLAC, MP3, ADTS, MPEG_TS];

/** How much may be read of a file; counted while set. */
export interface ReadBudget {
  bytes: number;
  reads: number;
}

/** What a demuxer has found in a file. */
export interface Demuxed {
  readonly container: string;
  readonly tracks: readonly DemuxedTrack[];
  /** Still pictures, which are no tracks. */
  readonly pictures: number;
  /** Ends reading. */
  close(): Promise<void>;
}

/** A media file that is open for reading packets. Closing it gives the file back. */
export interface MediaFile extends Demuxed {
  readonly file: ContentFile;
  /** Ranges read lately, the newest first: what the demuxer still keeps was read in these. */
  readonly lately: () => readonly ByteRange[];
}

/** Bytes of a file; the end is the byte after the last. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Reads bytes of the file that is looked at, within its budget. */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>;

/** The second demuxer, in a process of its own: for what the first one does not read. */
export interface LibraryDemuxer {
  open(init: {
    readonly cid: string;
    readonly size: number;
    readonly format: LibraryFormat;
    readonly read: ReadRange;
  }): Promise<Demuxed>;
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

interface OpenInit {
  readonly log: Logger;
  readonly budget?: ReadBudget;
  readonly library?: LibraryDemuxer | undefined;
}

/** Opens `file`, which it then owns. With a budget, reading ends in `CORRUPT_MEDIA` once that is used up. */
export async function openMediaFile(
  file: ContentFile,
  init: OpenInit,
): Promise<{ readonly media: MediaFile; readonly unlimited: () => void }> {
  const closed = new AbortController();
  let budget = init.budget;
  const lately: ByteRange[] = [];
  const read: ReadRange = (start, end) => {
    if (lately.length >= DEMUX_READS_KEPT) lately.shift();
    lately.push({ start, end });
    if (budget !== undefined) {
      budget.bytes -= end - start;
      budget.reads -= 1;
      if (budget.bytes < 0 || budget.reads < 0) {
        throw new CidcastError("CORRUPT_MEDIA", `Finding out what ${file.cid} holds takes too much reading`);
      }
    }
    return file.read(start, end, { signal: closed.signal });
  };
  const end = async (): Promise<void> => {
    closed.abort(new CidcastError("ABORTED", `${file.cid} was closed`));
    await file.close();
  };
  try {
    if (file.size === 0) throw new UnsupportedInputFormatError();
    const demuxed = await demux(file, read, init);
    const close = async (): Promise<void> => {
      closed.abort(new CidcastError("ABORTED", `${file.cid} was closed`));
      await demuxed.close();
      await end();
    };
    return {
      media: { ...demuxed, file, close, lately: () => lately.toReversed() },
      unlimited: () => (budget = undefined),
    };
  } catch (error) {
    await end();
    throw demuxError(error, file.cid);
  }
}

/** The demuxer that makes most of the file: the own one, or FFmpeg's for what that does not know or would search for ever. */
async function demux(file: ContentFile, read: ReadRange, init: OpenInit): Promise<Demuxed> {
  const { cid, size } = file;
  const { library, log } = init;
  const format = library && libraryFormatOf(await read(0, Math.min(SIGNATURE_BYTES, size)));
  const second = async (): Promise<Demuxed | undefined> => {
    if (library === undefined || format === undefined) return undefined;
    try {
      return await library.open({ cid, size, format, read });
    } catch (error) {
      if (!isOfTheFile(error)) throw error;
      log.debug({ cid, format: format.name, err: error }, "FFmpeg's demuxer does not read it either");
      return undefined;
    }
  };
  if (format?.first === true) {
    const found = await second();
    if (found !== undefined) return found;
  }
  const own = await openBunny(file, read, log).catch((error: unknown) => {
    if (!isOfTheFile(demuxError(error, cid)) || format?.first !== false) throw error;
    return { failure: error };
  });
  if (!("failure" in own) && (own.tracks.every(isReadable) || format?.first !== false)) return own;
  const other = await second();
  if ("failure" in own) {
    if (other === undefined) throw own.failure;
    return other;
  }
  const better = other !== undefined && count(other) > count(own);
  await (better ? own : other)?.close();
  return better ? other : own;
}

/** The file is to blame, not where it comes from. */
function isOfTheFile(error: unknown): boolean {
  return error instanceof CidcastError && ["CORRUPT_MEDIA", "UNSUPPORTED_MEDIA"].includes(error.code);
}

function isReadable(track: DemuxedTrack): boolean {
  return track.codec !== "unknown" && track.decodable;
}

function count({ tracks }: Demuxed): number {
  return tracks.filter(isReadable).length;
}

async function openBunny(file: ContentFile, read: ReadRange, log: Logger): Promise<Demuxed> {
  const source = new CustomSource({
    getSize: () => file.size,
    read,
    maxCacheSize: DEMUX_CACHE_BYTES,
    prefetchProfile: "network",
    handleUnhandledError: error => log.debug({ cid: file.cid, err: error }, "read ahead failed"),
  });
  const input = new Input({ formats: FORMATS, source });
  const close = async (): Promise<void> => input.dispose();
  try {
    await checkSampleTables(file);
    const container = (await input.getFormat()).name;
    boundResync(input);
    const inputs = (await input.getTracks()).slice(0, MAX_TRACKS);
    if (inputs.length === 0) {
      throw new CidcastError(
        "CORRUPT_MEDIA",
        `${file.cid} is ${container} without any track: its index is missing, so it is probably cut off`,
      );
    }
    return { container, ...(await bunnyTracks(container, inputs)), close };
  } catch (error) {
    await close();
    throw error;
  }
}
