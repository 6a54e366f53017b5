import type { Segment } from "../../media/index.ts";
import { FRAME_DROPPABLE, FRAME_KEY } from "../../media/index.ts";
import type { PacketisedSegment } from "../rtp/packetise/index.ts";

/** How far ahead of the frame that is sent segments are asked for, seconds: a slow block then holds nothing up. */
export const AHEAD_SECONDS = 2;

/** Where a segment is wanted from; `tempo` seconds of media are to be heard per second, default 1. */
export type SegmentPlace = (
  | { readonly at: number }
  | { readonly after: string }
  /** The rung's first keyframe at or after that time: with it the rung takes over. */
  | { readonly keyAfter: number; readonly rung: string }
  /** The rung's segment that holds that time: it takes over from its own beginning. */
  | { readonly holding: number; readonly rung: string }
) & {
  readonly tempo?: number;
  /** Which rung of a ladder. */
  readonly rung?: string;
};

/** What has come of a wish for another rung. */
export type SwitchOutcome = "spliced" | "late" | "none" | "stale";

/** Times of frames that lie no further apart are the same, seconds. */
const SAME_TIME_SECONDS = 0.002;

/** A segment here, and how many of its frames are played: a rung that takes over cuts it short. */
interface Entry {
  readonly packetised: PacketisedSegment;
  readonly rung: string | undefined;
  frames: number;
  endSeconds: number;
}

export interface TrackQueueInit {
  /** Asks for a segment; the answer comes back as {@link TrackQueue.deliver} with the same ticket. */
  readonly request: (ticket: number, place: SegmentPlace) => void;
  readonly acquire: (segment: Segment) => PacketisedSegment;
  readonly release: (segment: PacketisedSegment) => void;
}

/** The segments of one track around the frame that is sent next. */
export class TrackQueue {
  readonly #init: TrackQueueInit;
  #entries: Entry[] = [];
  #frame = 0;
  /** The newest segment that came, also when it has been sent by now. */
  #newest: Segment | undefined;
  /** Where it ends: earlier than it does by itself, when another rung takes over. */
  #newestEnd = 0;
  #newestRung: string | undefined;
  #ticket = 0;
  #waiting = 0;
  /** Ticket of the segment with which another rung takes over; 0: none is asked for. */
  #switching = 0;
  #complete = false;
  #tempo = 1;
  #rung: string | undefined;

  constructor(init: TrackQueueInit) {
    this.#init = init;
  }

  /** The rung that is asked for at places to come. */
  set rung(rung: string | undefined) {
    this.#rung = rung;
  }

  /** Forgets what it has and asks for the segment at `seconds`, made for that tempo. */
  seek(seconds: number, tempo = 1): void {
    this.#tempo = tempo;
    this.#forget();
    this.#complete = false;
    this.#switching = 0;
    this.#ask(this.#rung === undefined ? { at: seconds } : { at: seconds, rung: this.#rung });
  }

  /**
   * Asks for the segment with which `rung` takes over, at or after `seconds`, or with what comes before that in its segment. What is
   * here is played meanwhile.
   */
  switchTo(rung: string, seconds: number, from: "next" | "before" = "next"): void {
    this.#ticket++;
    this.#switching = this.#ticket;
    this.#init.request(
      this.#switching,
      from === "next" ? { keyAfter: seconds, rung } : { holding: seconds, rung },
    );
  }

  /** The wish for another rung is taken back. */
  stay(): void {
    this.#switching = 0;
  }

  /** A segment that was asked for; undefined: the track ends here. An answer to an older request is passed over. */
  deliver(ticket: number, segment: Segment | undefined, rung?: string): void {
    if (ticket !== this.#waiting || ticket === 0) return;
    this.#waiting = 0;
    if (segment === undefined) {
      this.#complete = true;
      return;
    }
    this.#append(segment, rung);
  }

  /** The segment that {@link switchTo} asked for: it takes over where it begins, unless what is played has got past that. */
  splice(ticket: number, segment: Segment | undefined, rung: string | undefined): SwitchOutcome {
    if (ticket !== this.#switching || ticket === 0) return "stale";
    this.#switching = 0;
    if (segment === undefined) return "none";
    const cut = segment.startSeconds - SAME_TIME_SECONDS;
    const next = this.nextSeconds;
    if (next !== undefined ? next > segment.startSeconds + SAME_TIME_SECONDS : this.#newestEnd > cut + 0.1)
      return "late";
    // What was asked for of the rung before is not wanted any more.
    this.#waiting = 0;
    this.#cutAt(cut);
    this.#complete = false;
    this.#append(segment, rung);
    return "spliced";
  }

  /** A segment takes over from its frame `from` on, a keyframe that lies before what was to come next. */
  takeOver(segment: Segment, rung: string | undefined, from: number): void {
    this.#switching = this.#waiting = 0;
    this.#complete = false;
    this.#forget();
    this.#append(segment, rung);
    this.#frame = from;
  }

  /** True when the answer to the newest request is still to come. */
  isWaitingFor(ticket: number): boolean {
    return this.#waiting !== 0 && ticket === this.#waiting;
  }

  /** True when that is the request for another rung. */
  isSwitchingBy(ticket: number): boolean {
    return this.#switching !== 0 && ticket === this.#switching;
  }

  /** Asks for what is wanted next, when playing is at `seconds`, at a rate. */
  fill(seconds: number, rate = 1): void {
    if (this.#waiting !== 0 || this.#complete) return;
    const newest = this.#newest;
    const ahead = AHEAD_SECONDS * Math.max(1, rate);
    if (newest === undefined || this.#newestEnd >= seconds + ahead) return;
    const rung = this.#newestRung;
    this.#ask(rung === undefined ? { after: newest.key } : { after: newest.key, rung });
  }

  get head(): PacketisedSegment | undefined {
    return this.#entries[0]?.packetised;
  }

  /** The rung that the next frame is of. */
  get headRung(): string | undefined {
    return this.#entries[0]?.rung;
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
    const entry = this.#entries[0];
    const following = this.#frame + 1;
    if (entry === undefined || following >= entry.frames) return entry?.endSeconds;
    return entry.packetised.segment.ptsSeconds[following];
  }

  /** True when the track has no frame after the next. */
  get nextIsLast(): boolean {
    const entry = this.#entries[0];
    const last = entry?.packetised.segment;
    return last?.last === true && entry?.frames === last.frameCount && this.#frame === last.frameCount - 1;
  }

  get nextIsKey(): boolean {
    return this.#isFlagged(FRAME_KEY);
  }

  /** True when no other frame depends on the next. */
  get nextIsDroppable(): boolean {
    return this.#isFlagged(FRAME_DROPPABLE);
  }

  /** True when all frames of the track are sent. */
  get ended(): boolean {
    return this.#complete && this.#entries.length === 0;
  }

  /** End of what is here, seconds; undefined when nothing is. */
  get bufferedUntil(): number | undefined {
    return this.#newest === undefined ? undefined : this.#newestEnd;
  }

  /** Goes on to the next frame. */
  advance(): void {
    const entry = this.#entries[0];
    if (entry === undefined) return;
    this.#frame++;
    if (this.#frame < entry.frames) return;
    this.#entries.shift();
    this.#frame = 0;
    this.#init.release(entry.packetised);
  }

  /** Passes over frames before `seconds`, within what is here. */
  skipTo(seconds: number): void {
    for (let next = this.nextSeconds; next !== undefined && next < seconds; next = this.nextSeconds)
      this.advance();
  }

  /** Lets go of everything: nothing more comes until the next seek. */
  close(): void {
    this.#waiting = this.#switching = 0;
    this.#complete = true;
    this.#forget();
  }

  #isFlagged(flag: number): boolean {
    return ((this.head?.segment.flags[this.#frame] ?? 0) & flag) !== 0;
  }

  #append(segment: Segment, rung: string | undefined): void {
    this.#newest = segment;
    this.#newestRung = rung;
    this.#newestEnd = segment.endSeconds;
    const packetised = this.#init.acquire(segment);
    this.#entries.push({ packetised, rung, frames: segment.frameCount, endSeconds: segment.endSeconds });
    if (segment.last) this.#complete = true;
  }

  /** Takes away all frames from `seconds` on. */
  #cutAt(seconds: number): void {
    while (this.#entries.length > 0) {
      const entry = this.#entries.at(-1);
      if (entry === undefined) return;
      const { ptsSeconds } = entry.packetised.segment;
      while (entry.frames > 0 && (ptsSeconds[entry.frames - 1] ?? 0) >= seconds) entry.frames--;
      const sent = this.#entries.length === 1 ? this.#frame : 0;
      if (entry.frames > sent) {
        entry.endSeconds = Math.min(entry.endSeconds, seconds + SAME_TIME_SECONDS);
        return;
      }
      this.#entries.pop();
      if (this.#entries.length === 0) this.#frame = 0;
      this.#init.release(entry.packetised);
    }
  }

  #forget(): void {
    const old = this.#entries;
    this.#entries = [];
    this.#frame = 0;
    this.#newest = undefined;
    for (const { packetised } of old) this.#init.release(packetised);
  }

  #ask(place: SegmentPlace): void {
    this.#ticket++;
    this.#waiting = this.#ticket;
    this.#init.request(this.#ticket, this.#tempo === 1 ? place : { ...place, tempo: this.#tempo });
  }
}
