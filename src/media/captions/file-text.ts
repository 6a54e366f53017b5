import type { ByteReader } from "./byte-reader.ts";
import { readMatroskaText } from "./matroska-text.ts";
import { type FileText, readMp4Text } from "./mp4-text.ts";
import type { Chapter, Cue } from "./types.ts";

/** Most chapters that are told. */
const MAX_CHAPTERS = 1000;

/** The text of a file of any kind; nothing where it has none. */
export async function readFileText(reader: ByteReader): Promise<FileText> {
  const found = (await readMatroskaText(reader)) ?? (await readMp4Text(reader));
  return found ?? { tracks: [], chapters: async () => [], tags: {} };
}

/** Chapters in order, not too many. */
export async function chaptersOf(text: FileText, reader: ByteReader): Promise<Chapter[]> {
  return inOrder(await text.chapters(reader)).slice(0, MAX_CHAPTERS);
}

/** In order of time. */
export function inOrder<T extends Chapter | Cue>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => a.startSeconds - b.startSeconds);
}
