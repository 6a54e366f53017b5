import type { ByteReader } from "./byte-reader.ts";
import { CAPTIONS_MAX_CUES, CAPTIONS_MAX_TRACKS } from "../limits.ts";
import type { FileText, TextTrack } from "./mp4-text.ts";
import { cueFrom, plainText } from "./parse-text.ts";
import type { Chapter, Cue } from "./types.ts";

/** Element ids, as they are written. */
const ID = {
  segment: 0x18538067,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  title: 0x7ba9,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackType: 0x83,
  codec: 0x86,
  language: 0x22b59c,
  languageTag: 0x22b59d,
  name: 0x536e,
  encodings: 0x6d80,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  blockGroup: 0xa0,
  block: 0xa1,
  blockDuration: 0x9b,
  simpleBlock: 0xa3,
  chapters: 0x1043a770,
  edition: 0x45b9,
  chapter: 0xb6,
  chapterStart: 0x91,
  chapterDisplay: 0x80,
  chapterString: 0x85,
  tags: 0x1254c367,
  tag: 0x7373,
  simpleTag: 0x67c8,
  tagName: 0x45a3,
  tagString: 0x4487,
  seekHead: 0x114d9b74,
  seek: 0x4dbb,
  seekId: 0x53ab,
  seekPosition: 0x53ac,
} as const;

const TEXT_TRACK = 0x11;
/** Largest header element that is read whole: tracks, chapters, tags. */
const HEADER_MAX_BYTES = 4 * 1024 * 1024;
const BLOCK_MAX_BYTES = 64 * 1024;
/** How long a cue is shown whose file does not say, seconds. */
const UNKNOWN_DURATION_SECONDS = 3;

/** Text tracks, chapters and tags of a Matroska file; undefined when it is none. */
export async function readMatroskaText(reader: ByteReader): Promise<FileText | undefined> {
  const segment = await findSegment(reader);
  if (segment === undefined) return undefined;
  const heads = await readHeads(reader, segment);
  const scale = unsigned(heads.get(ID.info)?.find(element => element.id === ID.timestampScale)) ?? 1_000_000;
  const entries = (heads.get(ID.tracks) ?? []).filter(element => element.id === ID.trackEntry);
  const tracks = entries
    .map(entry => elementsOf(entry.data))
    .flatMap(fields => textTrack(fields, segment, scale));
  const title = text(heads.get(ID.info)?.find(element => element.id === ID.title));
  return {
    tracks: tracks.slice(0, CAPTIONS_MAX_TRACKS),
    chapters: async () => readChapters(heads.get(ID.chapters) ?? []),
    tags: { ...readTags(heads.get(ID.tags) ?? []), ...(title === undefined ? {} : { title }) },
  };
}

interface Span {
  readonly id: number;
  /** Where its data lies in the file. */
  readonly from: number;
  readonly to: number;
}

interface Element {
  readonly id: number;
  readonly data: Uint8Array;
}

/** The header of an element; its end is the end of `limit` where the size is not known. */
async function header(reader: ByteReader, at: number, limit: number): Promise<Span | undefined> {
  const bytes = await reader.read(at, 12);
  const id = vint(bytes, 0, true);
  const size = id && vint(bytes, id.length, false);
  if (id === undefined || size === undefined) return undefined;
  const from = at + id.length + size.length;
  return { id: id.value, from, to: size.unknown ? limit : Math.min(limit, from + size.value) };
}

function vint(bytes: Uint8Array, at: number, keepMarker: boolean) {
  const first = bytes[at] ?? 0;
  const length = Math.clz32(first) - 23;
  if (first === 0 || length > 8 || at + length > bytes.length) return undefined;
  let value = keepMarker ? first : first & (0xff >> length);
  let ones = (first & (0xff >> length)) === 0xff >> length;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i] ?? 0;
    value = value * 256 + byte;
    ones &&= byte === 0xff;
  }
  return { value, length, unknown: ones };
}

async function findSegment(reader: ByteReader): Promise<Span | undefined> {
  const { size } = reader.file;
  const ebml = await header(reader, 0, size);
  if (ebml?.id !== 0x1a45dfa3) return undefined;
  const segment = await header(reader, ebml.to, size);
  return segment?.id === ID.segment ? segment : undefined;
}

/** The elements of the segment that describe it: those before the clusters, and those that the seek head names. */
async function readHeads(reader: ByteReader, segment: Span): Promise<Map<number, Element[]>> {
  const found = new Map<number, Element[]>();
  const take = async (span: Span): Promise<void> => {
    const wanted: readonly number[] = [ID.info, ID.tracks, ID.chapters, ID.tags, ID.seekHead];
    if (!wanted.includes(span.id) || found.has(span.id) || span.to - span.from > HEADER_MAX_BYTES) return;
    found.set(span.id, elementsOf(await reader.read(span.from, span.to - span.from)));
  };
  for (let at = segment.from; at < segment.to; ) {
    const span = await header(reader, at, segment.to);
    if (span === undefined || span.id === ID.cluster) break;
    await take(span);
    at = span.to;
  }
  for (const seek of (found.get(ID.seekHead) ?? []).filter(element => element.id === ID.seek)) {
    const position = unsigned(elementsOf(seek.data).find(element => element.id === ID.seekPosition));
    const span =
      position === undefined ? undefined : await header(reader, segment.from + position, segment.to);
    if (span !== undefined) await take(span);
  }
  return found;
}

function elementsOf(bytes: Uint8Array): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const id = vint(bytes, at, true);
    const size = id && vint(bytes, at + id.length, false);
    if (id === undefined || size === undefined) break;
    const from = at + id.length + size.length;
    elements.push({ id: id.value, data: bytes.subarray(from, from + size.value) });
    at = from + size.value;
  }
  return elements;
}

function unsigned(element: Element | undefined): number | undefined {
  if (element === undefined || element.data.length > 8) return undefined;
  return element.data.reduce((value, byte) => value * 256 + byte, 0);
}

function text(element: Element | undefined): string | undefined {
  if (element === undefined) return undefined;
  return new TextDecoder().decode(element.data).replace(/\0.*$/s, "");
}

function textTrack(fields: readonly Element[], segment: Span, scale: number): TextTrack[] {
  const field = (id: number): Element | undefined => fields.find(element => element.id === id);
  const codec = text(field(ID.codec)) ?? "";
  const number = unsigned(field(ID.trackNumber));
  const isText = unsigned(field(ID.trackType)) === TEXT_TRACK && codec.startsWith("S_TEXT/");
  // What is compressed is left alone: hardly any file with text has it.
  if (!isText || number === undefined || field(ID.encodings) !== undefined) return [];
  const language = text(field(ID.languageTag)) ?? text(field(ID.language)) ?? "eng";
  return [
    {
      format: "matroska",
      language: language === "und" ? undefined : language,
      label: text(field(ID.name)),
      cues: reader => readBlocks(reader, { segment, scale, number, styled: /ASS|SSA/.test(codec) }),
    },
  ];
}

interface Wanted {
  readonly segment: Span;
  readonly scale: number;
  readonly number: number;
  /** Lines are those of a subtitle script: fields, then the text. */
  readonly styled: boolean;
}

async function readBlocks(reader: ByteReader, wanted: Wanted): Promise<Cue[]> {
  const cues: Cue[] = [];
  const { segment } = wanted;
  for (let at = segment.from; at < segment.to && cues.length <= CAPTIONS_MAX_CUES; ) {
    const span = await header(reader, at, segment.to);
    if (span === undefined) break;
    if (span.id === ID.cluster) await readCluster(reader, span, wanted, cues);
    at = span.to;
  }
  return cues;
}

async function readCluster(reader: ByteReader, cluster: Span, wanted: Wanted, cues: Cue[]): Promise<void> {
  let base = 0;
  for (let at = cluster.from; at < cluster.to; ) {
    const span = await header(reader, at, cluster.to);
    if (span === undefined) return;
    const size = span.to - span.from;
    if (span.id === ID.timestamp)
      base = unsigned({ id: 0, data: await reader.read(span.from, size) }) ?? base;
    const group = span.id === ID.blockGroup;
    if ((group || span.id === ID.simpleBlock) && size <= BLOCK_MAX_BYTES) {
      const peek = await reader.read(span.from, Math.min(size, 16));
      // A group begins with its block in every writer there is: the track's number tells whether to read it whole.
      const inner = group ? vint(peek, vint(peek, 0, true)?.length ?? 1, false) : undefined;
      const skip = group ? (vint(peek, 0, true)?.length ?? 1) + (inner?.length ?? 1) : 0;
      if (vint(peek, skip, false)?.value === wanted.number) {
        const cue = cueOf(await reader.read(span.from, size), { group, base, at: span.from, wanted });
        if (cue !== undefined) cues.push(cue);
      }
    }
    at = span.to;
  }
}

function cueOf(
  bytes: Uint8Array,
  place: { readonly group: boolean; readonly base: number; readonly at: number; readonly wanted: Wanted },
): Cue | undefined {
  const { group, base, at, wanted } = place;
  const elements = group ? elementsOf(bytes) : [{ id: ID.block, data: bytes }];
  const block = elements.find(element => element.id === ID.block)?.data;
  const track = block && vint(block, 0, false);
  if (block === undefined || track?.value !== wanted.number || block.length < track.length + 3)
    return undefined;
  const offset = new DataView(block.buffer, block.byteOffset).getInt16(track.length);
  const seconds = (ticks: number): number => (ticks * wanted.scale) / 1e9;
  const startSeconds = seconds(base + offset);
  const duration = unsigned(elements.find(element => element.id === ID.blockDuration));
  const data = block.subarray(track.length + 3);
  const raw = new TextDecoder().decode(data);
  // ReadOrder, Layer, Style, Name, three margins, Effect, Text.
  const shown = wanted.styled
    ? raw
        .split(",")
        .slice(8)
        .join(",")
        .replace(/\\[Nn]/g, "\n")
    : raw;
  const plain = plainText(shown);
  if (plain === "") return undefined;
  const endSeconds = startSeconds + (duration === undefined ? UNKNOWN_DURATION_SECONDS : seconds(duration));
  return cueFrom(data, {
    startSeconds,
    endSeconds,
    text: plain,
    from: at + (data.byteOffset - bytes.byteOffset),
  });
}

function readChapters(elements: readonly Element[]): Chapter[] {
  const edition = elements.find(element => element.id === ID.edition);
  const atoms =
    edition === undefined ? [] : elementsOf(edition.data).filter(element => element.id === ID.chapter);
  return atoms
    .map(atom => elementsOf(atom.data))
    .map(fields => {
      const display = fields.find(element => element.id === ID.chapterDisplay);
      const title =
        display && text(elementsOf(display.data).find(element => element.id === ID.chapterString));
      const start = unsigned(fields.find(element => element.id === ID.chapterStart)) ?? 0;
      return { startSeconds: start / 1e9, title: title ?? "" };
    })
    .toSorted((a, b) => a.startSeconds - b.startSeconds);
}

function readTags(elements: readonly Element[]): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const tag of elements.filter(element => element.id === ID.tag)) {
    for (const simple of elementsOf(tag.data).filter(element => element.id === ID.simpleTag)) {
      const fields = elementsOf(simple.data);
      const name = text(fields.find(element => element.id === ID.tagName))?.toLowerCase();
      const value = text(fields.find(element => element.id === ID.tagString));
      if (name !== undefined && TOLD_TAGS.has(name) && value !== undefined)
        tags[name] ??= value.slice(0, 2000);
    }
  }
  return tags;
}

const TOLD_TAGS = new Set(["title", "artist", "album", "date", "genre", "comment", "description"]);
