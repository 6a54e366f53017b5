import type { Segment } from "../../media/index.ts";
import type { PacketisedSegment } from "../rtp/packetise/index.ts";
import type { Pacer, PathRate } from "./pacer.ts";
import type { SegmentPlace } from "./track-queue.ts";

export interface PlayerTrackInit {
  readonly kind: "video" | "audio";
  readonly bitrateBps: number | undefined;
}

export interface PlayerInit {
  readonly tracks: readonly PlayerTrackInit[];
  readonly durationSeconds: number;
  readonly startSeconds: number;
  readonly nowMs: number;
  readonly request: (track: number, ticket: number, place: SegmentPlace) => void;
  readonly acquire: (track: number, segment: Segment) => PacketisedSegment;
  readonly release: (segment: PacketisedSegment) => void;
  /** Sends one payload. `streamSeconds` runs on over pauses, seeks and loops. */
  readonly send: (track: number, payload: Buffer, streamSeconds: number, marker: boolean) => void;
  /** The RTP time of pictures at a stream time. */
  readonly pictureTime?: (streamSeconds: number) => number | undefined;
  /** What is known of the path. */
  readonly path?: (nowMs: number) => PathRate;
  /** The viewer's pace; default one of its own. */
  readonly pacer?: Pacer;
  /** The rung of a ladder that pictures begin with. */
  readonly rung?: string | undefined;
  /** The first picture of another rung leaves. */
  readonly onRung?: (rung: string) => void;
  /** A rung that was wanted cannot be had. */
  readonly onRungFailed?: (rung: string) => void;
  /** A repeat sends pictures that are only decoded on the way; with the stream time from which on they are over, it has landed. */
  readonly onLeadIn?: (overSeconds: number | undefined) => void;
  /** State, loop or place have changed. */
  readonly onChange: () => void;
}
