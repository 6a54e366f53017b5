import { MAX_SOUND_RATE, MIN_SOUND_RATE } from "@cidcast/protocols/media-control";
import { FRAME_KEY, type Segment } from "../../media/index.ts";
import { LeadIn } from "./lead-in.ts";
import type { Pacer } from "./pacer.ts";
import { type SwitchOutcome, TrackQueue, type TrackQueueInit } from "./track-queue.ts";

/** Shortest distance of two frames in stream time, seconds. */
const LEAST_FRAME_SECONDS = 0.001;

/**
 * How far sound goes ahead of the picture, seconds: one Opus frame. Receivers hold sound about that much longer than a
 * picture, and browsers mend only offsets above 30 ms.
 */
export const AUDIO_LEAD_SECONDS = 0.02;

export interface PlayingTrackInit {
  readonly index: number;
  readonly kind: "video" | "audio";
  readonly startSeconds: number;
  /** The viewer's own, for all tracks. */
  readonly pacer: Pacer;
  readonly queue: TrackQueueInit;
  readonly send: (payload: Buffer, streamSeconds: number, marker: boolean) => void;
}

/** A track on its way to one viewer. */
export class PlayingTrack {
  readonly index: number;
  readonly kind: "video" | "audio";
  /** How much before its time a frame leaves, seconds. */
  leadSeconds = 0;
  readonly queue: TrackQueue;
  readonly pacer: Pacer;
  frames = 0;
  keyframes = 0;
  /** Frames that left later than the clock wanted them. */
  late = 0;
  /** Place up to which the viewer has been sent everything: the next frame is missed from there on. */
  sentUntil: number;
  /** The frame that left last. */
  shown: number;
  /** Stream time of the frame that left last: the next has a later one. */
  lastStream = 0;
  /** Not heard at this rate. */
  muted = false;
  /** It is on its way to where the others are: they go on without it. */
  joining = false;
  /** Switched off: nothing of it is asked for or sent. */
  off = false;
  /** A picture was left out: the next one that can be sent is a keyframe. */
  hasGap = false;
  /** Frames left out because the path did not carry them. */
  skipped = 0;
  readonly #send: PlayingTrackInit["send"];
  /** Payload of a frame that is part way out; -1: none is. */
  #payload = -1;
  /** Its place in stream time. */
  #partSeconds = 0;
  /** What was sent in another rung up to here is sent anew: its pictures are only decoded on the way. */
  #catchUpTo = Number.NEGATIVE_INFINITY;
  #leadIn: LeadIn | undefined;

  constructor(init: PlayingTrackInit) {
    this.index = init.index;
    this.kind = init.kind;
    this.queue = new TrackQueue(init.queue);
    this.pacer = init.pacer;
    this.sentUntil = init.startSeconds;
    this.shown = init.startSeconds;
    this.#send = init.send;
  }

  /** True when its next frame is here, or there is none to come. */
  get ready(): boolean {
    return this.queue.nextSeconds !== undefined || this.queue.ended;
  }

  /** True while a large picture is only part way out. */
  get isPartWayOut(): boolean {
    return this.#payload >= 0;
  }

  /** Size of the next frame, bytes. */
  get nextBytes(): number {
    const { head, frame } = this.queue;
    const offsets = head?.segment.offsets;
    return (offsets?.[frame + 1] ?? 0) - (offsets?.[frame] ?? 0);
  }

  /** True when its next frame is missed. */
  get starved(): boolean {
    return !this.joining && !this.ready;
  }

  /** Goes to another place; sound as that rate wants it, where it is heard at all. */
  seek(seconds: number, rate: number): void {
    this.#payload = -1;
    this.#catchUpTo = Number.NEGATIVE_INFINITY;
    this.joining = false;
    this.hasGap = false;
    this.#leadIn = undefined;
    this.sentUntil = seconds;
    if (this.off) return this.mute();
    const silent = this.kind === "audio" && (rate < MIN_SOUND_RATE || rate > MAX_SOUND_RATE);
    if (silent) return this.mute();
    this.muted = false;
    this.queue.seek(seconds, this.kind === "audio" ? rate : 1);
  }

  /** Lets go of everything: nothing is sent until the next seek. */
  mute(): void {
    this.muted = true;
    this.joining = false;
    this.queue.close();
  }

  /** Sound that comes in begins at the place that the others have got to. */
  join(position: number): void {
    if (!this.joining || this.kind === "video") return;
    this.queue.skipTo(position);
    if (this.ready) this.joining = false;
  }

  /** The rung that was asked for takes over, unless a picture past its keyframe is part way out. */
  splice(ticket: number, segment: Segment | undefined, rung: string | undefined): SwitchOutcome {
    const next = this.queue.nextSeconds;
    const begun = this.isPartWayOut && next !== undefined && segment !== undefined;
    if (begun && next >= segment.startSeconds - LEAST_FRAME_SECONDS && this.queue.isSwitchingBy(ticket)) {
      this.queue.stay();
      return "late";
    }
    return this.queue.splice(ticket, segment, rung);
  }

  /**
   * Another rung takes over from its last keyframe before the next frame, if what lies between costs no more than `maxBytes`. A
   * picture that is part way out is given up: the keyframe makes up for it. False when it costs more, or does not hold that place.
   */
  catchUp(segment: Segment, rung: string | undefined, maxBytes: number): boolean {
    const next = this.queue.nextSeconds;
    if (next === undefined) return false;
    const { ptsSeconds, flags, offsets, frameCount } = segment;
    const place = this.isPartWayOut ? next + LEAST_FRAME_SECONDS : next - LEAST_FRAME_SECONDS;
    let key = -1;
    let until = 0;
    for (; until < frameCount && (ptsSeconds[until] ?? 0) < place; until++)
      if (((flags[until] ?? 0) & FRAME_KEY) !== 0) key = until;
    if (key < 0 || until === frameCount) return false;
    if ((offsets[until] ?? 0) - (offsets[key] ?? 0) > maxBytes) return false;
    if (this.isPartWayOut) this.lastStream = Math.max(this.lastStream, this.#partSeconds);
    this.#payload = -1;
    this.hasGap = false;
    this.#catchUpTo = place;
    this.queue.takeOver(segment, rung, key);
    return true;
  }

  /** True while the next frame only leads to where the track has been. */
  get isCatchingUp(): boolean {
    return (this.queue.nextSeconds ?? Number.POSITIVE_INFINITY) < this.#catchUpTo;
  }

  /** Leaves the next frame out. */
  skip(): void {
    this.skipped++;
    this.sentUntil = this.queue.followingSeconds ?? this.sentUntil;
    this.queue.advance();
  }

  /** Sends the next frame. False when a large picture is only part way out. */
  sendPaced(due: number): boolean {
    const { head, frame } = this.queue;
    if (head === undefined) return false;
    const streamSeconds = Math.max(due, this.lastStream + LEAST_FRAME_SECONDS);
    const from = head.frameStart[frame] ?? 0;
    const to = head.frameStart[frame + 1] ?? from;
    const paced = this.kind === "video";
    for (let at = Math.max(from, this.#payload); at < to; at++) {
      if (paced && !this.pacer.mayCarryOn) {
        this.#payload = at;
        this.#partSeconds = streamSeconds;
        return false;
      }
      const payload = head.payloads[at];
      if (payload === undefined) continue;
      this.#send(payload, streamSeconds, this.kind === "video" && at === to - 1);
      this.pacer.spend(payload.length);
    }
    this.#left(streamSeconds);
    return true;
  }

  /** Sends the next frame at once, whatever its size; returns its bytes. */
  sendWhole(stream: number): number {
    const { head, frame } = this.queue;
    if (head === undefined) return 0;
    const streamSeconds = Math.max(stream, this.lastStream + LEAST_FRAME_SECONDS);
    const to = head.frameStart[frame + 1] ?? 0;
    let bytes = 0;
    for (let at = head.frameStart[frame] ?? 0; at < to; at++) {
      const payload = head.payloads[at];
      if (payload === undefined) continue;
      this.#send(payload, streamSeconds, at === to - 1);
      bytes += payload.length;
    }
    this.pacer.spend(bytes);
    this.#left(streamSeconds);
    return bytes;
  }

  /** True when pictures before the place that was wanted have left since the last seek. */
  get wasLed(): boolean {
    return this.#leadIn !== undefined;
  }

  /** Sends the pictures that are decoded on the way to the one of `place`. False while that goes on. */
  lead(place: number, stream: number): boolean {
    const { queue } = this;
    for (;;) {
      if (queue.nextSeconds === undefined) return queue.ended;
      const there = queue.nextIsLast || (queue.followingSeconds ?? place) > place;
      if (there || this.#leadIn?.spent === true) return true;
      this.#leadIn ??= new LeadIn(stream * 1000, this.pacer.path);
      if (!this.#leadIn.mayCarryOn(stream * 1000)) return false;
      this.#leadIn.spend(this.sendWhole(stream));
    }
  }

  /** Sends the pictures up to `seconds` at once. */
  showUntil(seconds: number, stream: number): void {
    for (let next = this.queue.nextSeconds; next !== undefined && next <= seconds; ) {
      this.sendWhole(stream);
      next = this.queue.nextSeconds;
    }
  }

  #left(streamSeconds: number): void {
    const { queue } = this;
    if (queue.nextIsKey) this.keyframes++;
    this.#payload = -1;
    this.lastStream = streamSeconds;
    this.shown = queue.nextSeconds ?? this.shown;
    this.sentUntil = queue.followingSeconds ?? this.sentUntil;
    queue.advance();
  }
}

/** Frames that were sent: all, pictures, the keyframes among these, those that were late, and those left out. */
export interface FrameCounts {
  readonly frames: number;
  readonly pictures: number;
  readonly keyframes: number;
  readonly late: number;
  readonly skipped: number;
}

export function countFrames(tracks: readonly PlayingTrack[]): FrameCounts {
  const counts = { frames: 0, pictures: 0, keyframes: 0, late: 0, skipped: 0 };
  for (const track of tracks) {
    counts.frames += track.frames;
    counts.late += track.late;
    counts.skipped += track.skipped;
    if (track.kind !== "video") continue;
    counts.pictures += track.frames;
    counts.keyframes += track.keyframes;
  }
  return counts;
}

/**
 * The first place at which one of them has a frame to send, seconds; infinite where nothing is sent. Undefined where it cannot be
 * told: a frame is part way out, missing, or its track is on its way in.
 */
export function nextPlace(tracks: readonly PlayingTrack[], rate: number): number | undefined {
  let first = Number.POSITIVE_INFINITY;
  for (const track of tracks) {
    const next = track.queue.nextSeconds;
    if (track.joining || track.isPartWayOut || (next === undefined && !track.muted)) return undefined;
    if (next !== undefined) first = Math.min(first, next - track.leadSeconds * rate);
  }
  return first;
}
