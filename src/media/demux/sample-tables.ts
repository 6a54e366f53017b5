import type { ContentFile } from "../../content/index.ts";
import { CidcastError } from "../../core/index.ts";
import { MAX_BOXES_BEFORE_MOOV, MAX_MOOV_BYTES, MAX_TABLE_SAMPLES } from "../limits.ts";

/** Boxes that hold boxes, on the way to a sample table (ISO/IEC 14496-12, table 1). */
const PARENTS = new Set(["trak", "mdia", "minf", "stbl"]);
const HEAD_BYTES = 16;

interface Box {
  readonly type: string;
  /** Where its content begins and ends. */
  readonly start: number;
  readonly end: number;
}

/**
 * Refuses an MP4 whose tables name more samples than any film has: the demuxer writes each of them out, so one wrong
 * number of 32 bits would keep the thread busy for ever. Files of other kinds pass.
 */
export async function checkSampleTables(file: ContentFile): Promise<void> {
  let boxes = 0;
  for (let at = 0; at + 8 <= file.size; ) {
    if (++boxes > MAX_BOXES_BEFORE_MOOV) {
      throw new CidcastError("CORRUPT_MEDIA", `Finding the index of ${file.cid} takes too much reading`);
    }
    const head = viewOf(await file.read(at, Math.min(at + HEAD_BYTES, file.size)));
    const box = boxAt(head, 0, file.size - at);
    if (box === undefined) return;
    if (box.type === "moov") {
      const moov = { start: at + box.start, end: Math.min(at + box.end, file.size) };
      if (moov.end - moov.start > MAX_MOOV_BYTES) throw tooMany(file.cid);
      const view = viewOf(await file.read(moov.start, moov.end));
      if (samplesIn(view, 0, view.byteLength) > MAX_TABLE_SAMPLES) throw tooMany(file.cid);
      return;
    }
    at += box.end;
  }
}

/** Samples that the timing tables between `start` and `end` speak of, the largest table counting. */
function samplesIn(view: DataView, start: number, end: number): number {
  let most = 0;
  for (let at = start; at + 8 <= end; ) {
    const box = boxAt(view, at, end - at);
    if (box === undefined) return most;
    const inner = { start: at + box.start, end: Math.min(at + box.end, end) };
    if (PARENTS.has(box.type)) most = Math.max(most, samplesIn(view, inner.start, inner.end));
    else if (box.type === "stts" || box.type === "ctts") most = Math.max(most, countsOf(view, inner));
    at += box.end;
  }
  return most;
}

/** Sum of the sample counts of `stts` and `ctts`: pairs of count and value after eight bytes. */
function countsOf(view: DataView, { start, end }: { readonly start: number; readonly end: number }): number {
  let sum = 0;
  for (let at = start + 8; at + 8 <= end; at += 8) sum += view.getUint32(at);
  return sum;
}

/** The box that begins at `at`, with its bounds relative to `at`; undefined when there is none. */
function boxAt(view: DataView, at: number, room: number): Box | undefined {
  if (at + 8 > view.byteLength) return undefined;
  const type = String.fromCharCode(...[4, 5, 6, 7].map(offset => view.getUint8(at + offset)));
  const size = view.getUint32(at);
  if (size === 0) return { type, start: 8, end: room };
  if (size === 1 && at + HEAD_BYTES <= view.byteLength) {
    const large = Number(view.getBigUint64(at + 8));
    return large >= HEAD_BYTES ? { type, start: HEAD_BYTES, end: large } : undefined;
  }
  return size >= 8 ? { type, start: 8, end: size } : undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function tooMany(cid: string): CidcastError {
  return new CidcastError(
    "CORRUPT_MEDIA",
    `${cid} names more samples than a film has: its tables are damaged`,
  );
}
