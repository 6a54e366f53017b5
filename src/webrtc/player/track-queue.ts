import type { Segment } from "../../media/index.ts";
import { FRAME_KEY } from "../../media/index.ts";
import type { PacketisedSegment } from "../rtp/packetise/index.ts";

/** How far ahead of the frame that is sent segments are asked for, seconds: a slow block then holds nothing up. */
export const AHEAD_SECONDS = 2;

/** Where a segment is wanted from; `tempo` seconds of media are to be heard per second, default 1. */
export type SegmentPlace = ({ readonly at: number } | { readonly after: string }) & {
  readonly tempo?: number;
};

export interface TrackQueueInit {
  /** Asks for a segment; the answer comes back as {@link TrackQueue.deliver} with the same ticket. */
  readonly request: (ticket: number, place: SegmentPlace) => void;
  readonly acquire: (segment: Segment) => PacketisedSegment;
  readonly release: (segment: PacketisedSegment) => void;
}

/** The segments of one track around the frame that is sent next. */
export class TrackQueue {
  readonly #init: TrackQueueInit;
  #segments: PacketisedSegment[] = [];
  #frame = 0;
  /** The newest segment that came, also when it has been sent by now. */
  #newest: Segment | undefined;
  #ticket = 0;
  #waiting = false;
  #complete = false;
  #tempo = 1;

  constructor(init: TrackQueueInit) {
    this.#init = init;
  }

  /** Forgets what it has and asks for the segment at `seconds`, made for that tempo. */
  seek(seconds: number, tempo = 1): void {
    this.#tempo = tempo;
    this.#forget();
    this.#complete = false;
    this.#ask({ at: seconds });
  }

  /** A segment that was asked for; undefined: the track ends here. An answer to an older request is passed over. */
  deliver(ticket: number, segment: Segment | undefined): void {
    if (ticket !== this.#ticket || !this.#waiting) return;
    this.#waiting = false;
    if (segment === undefined) {
      this.#complete = true;
      return;
    }
    this.#newest = segment;
    this.#segments.push(this.#init.acquire(segment));
    if (segment.last) this.#complete = true;
  }

  /** True when the answer to the newest request is still to come. */
  isWaitingFor(ticket: number): boolean {
    return this.#waiting && ticket === this.#ticket;
  }

  /** Asks for what is wanted next, when playing is at `seconds`, at a rate. */
  fill(seconds: number, rate = 1): void {
    if (this.#waiting || this.#complete) return;
    const newest = this.#newest;
    const ahead = AHEAD_SECONDS * Math.max(1, rate);
    if (newest !== undefined && newest.endSeconds < seconds + ahead) this.#ask({ after: newest.key });
  }

  get head(): PacketisedSegment | undefined {
    return this.#segments[0];
  }

  /** Place of the next frame in {@link head}. */
  get frame(): number {
    return this.#frame;
  }

  /** Presentation time of the next frame; undefined when it is not here (yet). */
  get nextSeconds(): number | undefined {
    return this.head?.segment.ptsSeconds[this.#frame];
  }

  /** Presentation time of the frame after the next, or the end of what is here. */
  get followingSeconds(): number | undefined {
    const { head } = this;
    const following = this.#frame + 1;
    if (head === undefined || following >= head.segment.frameCount) return head?.segment.endSeconds;
    return head.segment.ptsSeconds[following];
  }

  /** True when the track has no frame after the next. */
  get nextIsLast(): boolean {
    const { head } = this;
    return head?.segment.last === true && this.#frame === head.segment.frameCount - 1;
  }

  get nextIsKey(): boolean {
    return ((this.head?.segment.flags[this.#frame] ?? 0) & FRAME_KEY) !== 0;
  }

  /** True when all frames of the track are sent. */
  get ended(): boolean {
    return this.#complete && this.#segments.length === 0;
  }

  /** End of what is here, seconds; undefined when nothing is. */
  get bufferedUntil(): number | undefined {
    return this.#newest?.endSeconds;
  }

  /** Goes on to the next frame. */
  advance(): void {
    const { head } = this;
    if (head === undefined) return;
    this.#frame++;
    if (this.#frame < head.segment.frameCount) return;
    this.#segments.shift();
    this.#frame = 0;
    this.#init.release(head);
  }

  /** Passes over frames before `seconds`, within what is here. */
  skipTo(seconds: number): void {
    for (let next = this.nextSeconds; next !== undefined && next < seconds; next = this.nextSeconds)
      this.advance();
  }

  /** Lets go of everything: nothing more comes until the next seek. */
  close(): void {
    this.#waiting = false;
    this.#complete = true;
    this.#forget();
  }

  #forget(): void {
    const old = this.#segments;
    this.#segments = [];
    this.#frame = 0;
    this.#newest = undefined;
    for (const segment of old) this.#init.release(segment);
  }

  #ask(place: SegmentPlace): void {
    this.#ticket++;
    this.#waiting = true;
    this.#init.request(this.#ticket, this.#tempo === 1 ? place : { ...place, tempo: this.#tempo });
  }
}
