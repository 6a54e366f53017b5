import {
  encodeGop,
  GOP_MAX_FRAMES,
  type GopFrame,
  SEGMENT_MAX_BYTES,
} from "@cidcast/protocols/media-manifest";
import { CidcastError } from "../../core/index.ts";
import type { FormattedFrame } from "../demux/frame-format.ts";

/** A frame with its time. */
export interface TimedData {
  readonly frame: FormattedFrame;
  readonly ptsUs: number;
}

/** The bytes of a segment, and its keyframe index. */
export interface SegmentFile {
  readonly bytes: Uint8Array;
  readonly gops: readonly (readonly [number, number])[];
}

/** The bytes of frames back to back, each in one piece. */
function joined({ pieces, byteLength }: FormattedFrame): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const out = new Uint8Array(byteLength);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** Puts GOPs into one file. */
export function segmentFile(gops: readonly (readonly TimedData[])[]): SegmentFile {
  const parts: Uint8Array[] = [];
  const index: [number, number][] = [];
  let offset = 0;
  for (const gop of gops) {
    const startUs = Math.round(gop[0]?.ptsUs ?? 0);
    const frames = gop.map(
      ({ frame, ptsUs }): GopFrame => ({
        data: joined(frame),
        offsetUs: Math.max(0, Math.round(ptsUs) - startUs),
        key: frame.key,
        droppable: frame.droppable,
      }),
    );
    const part = encodeGop(frames);
    index.push([startUs, offset]);
    parts.push(part);
    offset += part.length;
  }
  return { bytes: Buffer.concat(parts), gops: index };
}

/** Bytes of a segment's frames at most: beside them there is room for the tables. */
export const SEGMENT_MAX_PAYLOAD = SEGMENT_MAX_BYTES / 2;

/** Collects frames in order and gives out a segment whenever one is whole. What comes before the first keyframe is passed over. */
export class SegmentCutter {
  readonly #segmentUs: number;
  readonly #gopUs: number | undefined;
  readonly #onSegment: (number: number, gops: readonly (readonly TimedData[])[]) => void;
  #gops: TimedData[][] = [];
  #bytes = 0;
  #number = Number.NEGATIVE_INFINITY;
  #gop = Number.NEGATIVE_INFINITY;

  constructor(init: {
    readonly segmentUs: number;
    /** Sound: GOPs are cut on this grid. Pictures: undefined, at keyframes. */
    readonly gopUs: number | undefined;
    readonly onSegment: (number: number, gops: readonly (readonly TimedData[])[]) => void;
  }) {
    this.#segmentUs = init.segmentUs;
    this.#gopUs = init.gopUs;
    this.#onSegment = init.onSegment;
  }

  /** Throws `CORRUPT_MEDIA` when a GOP is longer, or a segment larger, than the format takes. */
  push(timed: TimedData): void {
    const gop = this.#gopUs === undefined ? undefined : Math.floor(timed.ptsUs / this.#gopUs);
    const begins = gop === undefined ? timed.frame.key : gop !== this.#gop;
    if (begins) {
      const number = Math.floor(timed.ptsUs / this.#segmentUs);
      // A segment ends with a GOP: where those are long, several numbers have no segment of their own.
      if (number !== this.#number) this.finish();
      this.#number = number;
      this.#gops.push([]);
    }
    this.#gop = gop ?? this.#gop;
    const frames = this.#gops.at(-1);
    if (frames === undefined) return;
    this.#bytes += timed.frame.byteLength;
    if (frames.length >= GOP_MAX_FRAMES || this.#bytes > SEGMENT_MAX_PAYLOAD) {
      const most = `${GOP_MAX_FRAMES} pictures or ${SEGMENT_MAX_PAYLOAD} bytes`;
      throw new CidcastError("CORRUPT_MEDIA", `Its keyframes lie further apart than ${most}`);
    }
    frames.push(timed);
  }

  /** Gives out what is left. */
  finish(): void {
    const gops = this.#gops;
    this.#gops = [];
    this.#bytes = 0;
    if (gops.length > 0) this.#onSegment(this.#number, gops);
  }
}
