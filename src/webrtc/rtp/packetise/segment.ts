import { FRAME_KEY, type RtpCodec, type Segment } from "../../../media/index.ts";
import { packetiseAv1 } from "./av1.ts";
import { packetiseH264 } from "./h264.ts";
import type { Packetiser } from "./payloads.ts";
import { packetiseVp8, packetiseVp9 } from "./vpx.ts";

const PACKETISERS: Readonly<Record<RtpCodec, Packetiser>> = {
  h264: packetiseH264,
  vp8: packetiseVp8,
  vp9: packetiseVp9,
  av1: packetiseAv1,
  opus: (frame, _isKey, push) => push(frame),
};

/** A segment cut into RTP payloads, once for all viewers of a thread. Never modified. */
export interface PacketisedSegment {
  readonly segment: Segment;
  readonly payloads: readonly Buffer[];
  /** `frameCount + 1` positions in `payloads`. */
  readonly frameStart: Uint32Array;
  readonly bytes: number;
}

/** Cuts a segment. Throws `CORRUPT_MEDIA` when a frame does not have its codec's form. */
export function packetiseSegment(segment: Segment, codec: RtpCodec): PacketisedSegment {
  // One copy out of shared memory: native crypto and sockets take plain memory.
  const data = Buffer.from(new Uint8Array(segment.data).slice().buffer);
  const packetise = PACKETISERS[codec];
  const payloads: Buffer[] = [];
  const frameStart = new Uint32Array(segment.frameCount + 1);
  let bytes = 0;
  const push = (payload: Buffer): void => {
    payloads.push(payload);
    bytes += payload.length;
  };
  for (let i = 0; i < segment.frameCount; i++) {
    frameStart[i] = payloads.length;
    const frame = data.subarray(segment.offsets[i], segment.offsets[i + 1]);
    packetise(frame, ((segment.flags[i] ?? 0) & FRAME_KEY) !== 0, push);
  }
  frameStart[segment.frameCount] = payloads.length;
  return { segment, payloads, frameStart, bytes };
}
