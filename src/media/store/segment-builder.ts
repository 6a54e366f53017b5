import { FRAME_DROPPABLE, FRAME_KEY, type Segment } from "../types.ts";
import type { FormattedFrame } from "../demux/frame-format.ts";

/** A frame on its way into a segment. */
export interface TimedFrame extends FormattedFrame {
  readonly ptsSeconds: number;
}

/** Everything of a segment but what follows from its frames. */
export interface SegmentHead {
  readonly key: string;
  readonly index: number;
  readonly endSeconds: number;
  readonly last: boolean;
  /** Audio: every segment can be started with. */
  readonly allKeys: boolean;
}

/** Packs frames, at least one, into shared memory. */
export function buildSegment(head: SegmentHead, frames: readonly TimedFrame[]): Segment {
  const count = frames.length;
  const bytes = frames.reduce((sum, frame) => sum + frame.byteLength, 0);
  const data = new SharedArrayBuffer(bytes);
  const out = new Uint8Array(data);
  const offsets = new Uint32Array(new SharedArrayBuffer(4 * (count + 1)));
  const ptsSeconds = new Float64Array(new SharedArrayBuffer(8 * count));
  const flags = new Uint8Array(new SharedArrayBuffer(count));
  let at = 0;
  for (const [i, frame] of frames.entries()) {
    offsets[i] = at;
    ptsSeconds[i] = frame.ptsSeconds;
    flags[i] = head.allKeys || frame.key ? FRAME_KEY : frame.droppable === true ? FRAME_DROPPABLE : 0;
    for (const piece of frame.pieces) {
      out.set(piece, at);
      at += piece.length;
    }
  }
  offsets[count] = at;
  return {
    key: head.key,
    index: head.index,
    startSeconds: ptsSeconds[0] ?? 0,
    endSeconds: head.endSeconds,
    startsWithKey: flags[0] === FRAME_KEY,
    last: head.last,
    frameCount: count,
    data,
    offsets,
    ptsSeconds,
    flags,
  };
}

/** Shared memory that a segment holds, bytes. */
export function segmentBytes(segment: Segment): number {
  return (
    segment.data.byteLength +
    segment.offsets.byteLength +
    segment.ptsSeconds.byteLength +
    segment.flags.byteLength
  );
}
