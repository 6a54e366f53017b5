import type { ByteReader } from "./byte-reader.ts";
import { CAPTIONS_MAX_CUES, CAPTIONS_MAX_TRACKS, MAX_MOOV_BYTES } from "../limits.ts";
import { cueFrom, plainText } from "./parse-text.ts";
import type { CaptionFormat, Chapter, Cue } from "./types.ts";

/** A sample of a text track: its time, and where it lies. */
interface Sample {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly from: number;
  readonly size: number;
}

/** A track of text inside a file. */
export interface TextTrack {
  readonly format: CaptionFormat;
  readonly language: string | undefined;
  readonly label: string | undefined;
  cues(reader: ByteReader): Promise<Cue[]>;
}

/** What text a file has. */
export interface FileText {
  readonly tracks: readonly TextTrack[];
  readonly chapters: (reader: ByteReader) => Promise<Chapter[]>;
  readonly tags: Readonly<Record<string, string>>;
}

/** Text tracks, chapters and tags of an MP4 or QuickTime file; undefined when it has no index. */
export async function readMp4Text(reader: ByteReader): Promise<FileText | undefined> {
  const moov = await findMoov(reader);
  if (moov === undefined) return undefined;
  const traks = children(moov)
    .filter(box => box.type === "trak")
    .map(readTrak);
  const chapterIds = new Set(traks.flatMap(trak => trak.chapterIds));
  const texts = traks.filter(trak => trak.format !== undefined);
  const chapterTrack = texts.find(trak => chapterIds.has(trak.id));
  return {
    tracks: texts
      .filter(trak => trak !== chapterTrack)
      .slice(0, CAPTIONS_MAX_TRACKS)
      .map(({ format = "tx3g", language, label, samples }) => ({
        format,
        language,
        label,
        cues: from => readCues(from, format, samples()),
      })),
    chapters: async from => {
      const nero = neroChapters(moov);
      if (nero.length > 0 || chapterTrack === undefined) return nero;
      const cues = await readCues(from, "tx3g", chapterTrack.samples());
      return cues.map(({ startSeconds, text }) => ({ startSeconds, title: text }));
    },
    tags: readTags(moov),
  };
}

interface Box {
  readonly type: string;
  readonly view: DataView;
}

async function findMoov(reader: ByteReader): Promise<Box | undefined> {
  for (let at = 0, boxes = 0; at < reader.file.size && boxes < MAX_TOP_BOXES; boxes++) {
    const head = await reader.view(at, 16);
    if (head === undefined) return undefined;
    const type = typeOf(head, 4);
    const small = head.getUint32(0);
    const size = small === 1 ? Number(head.getBigUint64(8)) : small === 0 ? reader.file.size - at : small;
    const header = small === 1 ? 16 : 8;
    if (size < header) return undefined;
    if (type === "moov" && size <= MAX_MOOV_BYTES) {
      const view = await reader.view(at + header, size - header);
      return view === undefined ? undefined : { type, view };
    }
    at += size;
  }
  return undefined;
}

const MAX_TOP_BOXES = 1000;

function children({ view }: Box, skip = 0): Box[] {
  const found: Box[] = [];
  for (let at = skip; at + 8 <= view.byteLength; ) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > view.byteLength) break;
    found.push({ type: typeOf(view, at + 4), view: sub(view, at + 8, size - 8) });
    at += size;
  }
  return found;
}

/** The box at a path; undefined where there is none. */
function find(box: Box, ...path: readonly string[]): Box | undefined {
  let at: Box | undefined = box;
  for (const type of path)
    at = at && children(at, at.type === "meta" ? metaSkip(at) : 0).find(b => b.type === type);
  return at;
}

/** ISO files have a version before the boxes in `meta`, QuickTime files none. */
function metaSkip({ view }: Box): number {
  return view.byteLength >= 8 && typeOf(view, 4) === "hdlr" ? 0 : 4;
}

function sub(view: DataView, at: number, length: number): DataView {
  return new DataView(view.buffer, view.byteOffset + at, length);
}

function typeOf(view: DataView, at: number): string {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 4));
}

function textOf(view: DataView, at = 0, length = view.byteLength - at): string {
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, length));
}

interface Trak {
  readonly id: number;
  readonly format: CaptionFormat | undefined;
  readonly language: string | undefined;
  readonly label: string | undefined;
  readonly chapterIds: readonly number[];
  readonly samples: () => Sample[];
}

function readTrak(trak: Box): Trak {
  const tkhd = find(trak, "tkhd")?.view;
  const id = tkhd === undefined ? 0 : tkhd.getUint32(tkhd.getUint8(0) === 1 ? 20 : 12);
  const mdhd = find(trak, "mdia", "mdhd")?.view;
  const long = mdhd?.getUint8(0) === 1;
  const timescale = mdhd?.getUint32(long ? 20 : 12) ?? 1;
  const stbl = find(trak, "mdia", "minf", "stbl");
  const entry = stbl && find(stbl, "stsd")?.view;
  const codec = entry !== undefined && entry.byteLength >= 16 ? typeOf(entry, 12) : "";
  const chap = find(trak, "tref", "chap")?.view;
  const handler = find(trak, "mdia", "hdlr")?.view;
  const name = handler && handler.byteLength > 24 ? textOf(handler, 24).replace(/\0.*$/s, "").trim() : "";
  return {
    id,
    format: codec === "tx3g" || codec === "text" ? "tx3g" : codec === "wvtt" ? "wvtt" : undefined,
    language: mdhd && languageOf(mdhd.getUint16(long ? 32 : 20)),
    label: name === "" || /handler/i.test(name) ? undefined : name,
    chapterIds: chap === undefined ? [] : words(chap),
    samples: () => (stbl === undefined ? [] : readSamples(stbl, timescale)),
  };
}

function words(view: DataView): number[] {
  return Array.from({ length: Math.floor(view.byteLength / 4) }, (_, i) => view.getUint32(i * 4));
}

/** Three letters of five bits each; `und` is none. */
function languageOf(packed: number): string | undefined {
  if (packed < 0x400) return undefined;
  const letters = [10, 5, 0].map(shift => String.fromCharCode(((packed >> shift) & 31) + 0x60)).join("");
  return letters === "und" || !/^[a-z]{3}$/.test(letters) ? undefined : letters;
}

/** A full box's entries of `width` 32-bit words; as many as there are bytes for. */
function entriesOf(box: Box | undefined, width: number): number[][] {
  const view = box?.view;
  if (view === undefined || view.byteLength < 8) return [];
  const count = Math.min(view.getUint32(4), Math.floor((view.byteLength - 8) / (4 * width)));
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: width }, (__, j) => view.getUint32(8 + 4 * (i * width + j))),
  );
}

function sizesOf(stbl: Box): (sample: number) => number | undefined {
  const stsz = find(stbl, "stsz")?.view;
  if (stsz === undefined || stsz.byteLength < 12) return () => undefined;
  const [all, count] = [stsz.getUint32(4), stsz.getUint32(8)];
  return sample => {
    if (sample >= count) return undefined;
    if (all !== 0) return all;
    return 12 + 4 * sample + 4 <= stsz.byteLength ? stsz.getUint32(12 + 4 * sample) : undefined;
  };
}

function chunkOffsets(stbl: Box): number[] {
  const small = find(stbl, "stco");
  if (small !== undefined) return entriesOf(small, 1).map(([offset = 0]) => offset);
  return entriesOf(find(stbl, "co64"), 2).map(([high = 0, low = 0]) => high * 2 ** 32 + low);
}

function readSamples(stbl: Box, timescale: number): Sample[] {
  const size = sizesOf(stbl);
  const runs = entriesOf(find(stbl, "stsc"), 3);
  const times = durations(entriesOf(find(stbl, "stts"), 2));
  const samples: Sample[] = [];
  let ticks = 0;
  for (const [chunk, offset] of chunkOffsets(stbl).entries()) {
    const run = runs.findLast(([first = 1]) => first <= chunk + 1);
    let at = offset;
    for (let i = 0; i < (run?.[1] ?? 0); i++) {
      const bytes = size(samples.length);
      const duration = times.next().value;
      if (bytes === undefined || duration === undefined || samples.length > 2 * CAPTIONS_MAX_CUES)
        return samples;
      const endSeconds = (ticks + duration) / timescale;
      samples.push({ startSeconds: ticks / timescale, endSeconds, from: at, size: bytes });
      ticks += duration;
      at += bytes;
    }
  }
  return samples;
}

function* durations(runs: readonly number[][]): Generator<number, undefined> {
  for (const [count = 0, delta = 0] of runs) for (let i = 0; i < count; i++) yield delta;
  return undefined;
}

/** Longest text of one sample, bytes. */
const SAMPLE_MAX_BYTES = 64 * 1024;

async function readCues(
  reader: ByteReader,
  format: CaptionFormat,
  samples: readonly Sample[],
): Promise<Cue[]> {
  const cues: Cue[] = [];
  for (const { from, size, ...times } of samples) {
    if (size < 3 || size > SAMPLE_MAX_BYTES) continue;
    const bytes = await reader.read(from, size);
    if (bytes.length < size) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const text = format === "wvtt" ? vttText(view) : plainText(tx3gText(view));
    if (text !== "" && times.endSeconds > times.startSeconds)
      cues.push(cueFrom(bytes, { ...times, text, from }));
  }
  return cues;
}

/** 16 bits of length, then UTF-8, or UTF-16 after its mark. */
function tx3gText(view: DataView): string {
  const length = Math.min(view.getUint16(0), view.byteLength - 2);
  const wide = length >= 2 && (view.getUint16(2) === 0xfeff || view.getUint16(2) === 0xfffe);
  if (!wide) return textOf(view, 2, length);
  const encoding = view.getUint16(2) === 0xfeff ? "utf-16be" : "utf-16le";
  return new TextDecoder(encoding).decode(new Uint8Array(view.buffer, view.byteOffset + 2, length));
}

function vttText(view: DataView): string {
  const cues = children({ type: "", view }).filter(box => box.type === "vttc");
  return cues
    .map(cue => plainText(textOf(find(cue, "payl")?.view ?? view, 0, find(cue, "payl") ? undefined : 0)))
    .join("\n");
}

/** The `chpl` box: times in 100 ns, titles after their length. */
function neroChapters(moov: Box): Chapter[] {
  const userData = children(moov).filter(box => box.type === "udta");
  const view = userData.map(box => find(box, "chpl")).find(box => box !== undefined)?.view;
  if (view === undefined || view.byteLength < 9) return [];
  const chapters: Chapter[] = [];
  for (let at = 9; at + 9 <= view.byteLength && chapters.length < view.getUint8(8); ) {
    const length = view.getUint8(at + 8);
    if (at + 9 + length > view.byteLength) break;
    const startSeconds = Number(view.getBigUint64(at)) / 1e7;
    chapters.push({ startSeconds, title: textOf(view, at + 9, length) });
    at += 9 + length;
  }
  return chapters;
}

const TAG_NAMES: Readonly<Record<string, string>> = {
  "\u00a9nam": "title",
  "\u00a9ART": "artist",
  "\u00a9alb": "album",
  "\u00a9day": "date",
  "\u00a9gen": "genre",
  "\u00a9cmt": "comment",
  desc: "description",
};
/** Longest value of a tag that is told, characters. */
const TAG_MAX_CHARS = 2000;

function readTags(moov: Box): Record<string, string> {
  const list = find(moov, "udta", "meta", "ilst") ?? find(moov, "meta", "ilst");
  const tags: Record<string, string> = {};
  for (const item of list === undefined ? [] : children(list)) {
    const name = TAG_NAMES[item.type];
    const data = find(item, "data")?.view;
    if (name !== undefined && data !== undefined && data.byteLength > 8) {
      tags[name] = textOf(data, 8).slice(0, TAG_MAX_CHARS);
    }
  }
  return tags;
}
