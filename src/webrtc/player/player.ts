import type { Segment } from "../../media/index.ts";
import type { PacketisedSegment } from "../rtp/packetise/index.ts";
import type { PlaybackState } from "../types.ts";
import { Pacer } from "./pacer.ts";
import { type SegmentPlace, TrackQueue } from "./track-queue.ts";

/** Shortest time between two keyframes that a viewer asked for, ms: each costs a step back. */
export const KEYFRAME_INTERVAL_MS = 300;

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
  /** State, loop or place have changed. */
  readonly onChange: () => void;
}

interface Track {
  readonly index: number;
  readonly kind: "video" | "audio";
  readonly queue: TrackQueue;
  readonly pacer: Pacer;
  /** How much before its time a frame leaves, seconds. */
  readonly leadSeconds: number;
  /** Payload of a frame that is part way out; -1: none is. */
  payload: number;
  frames: number;
  /** Frames that left later than the clock wanted them. */
  late: number;
}

/** Frames that leave this much after their time count as late, seconds: two frames at 30 per second. */
const LATE_SECONDS = 0.066;
/**
 * How far sound goes ahead of the picture, seconds: one Opus frame. Receivers hold sound about that much longer than a
 * picture, and browsers mend only offsets above 30 ms.
 */
const AUDIO_LEAD_SECONDS = 0.02;
/** Shortest frame that counts as a step, seconds: a place in the middle of rounding is the same place. */
const EPSILON = 1e-6;

interface Seek {
  readonly done: readonly (() => void)[];
  /** Not a change for the viewer: a keyframe it asked for, or a loop. */
  readonly quiet: boolean;
  /** Sound has been asked for again, from the keyframe that the picture begins with. */
  again: boolean;
}

/**
 * One viewer's playing: media time onto stream time. Stream time is the wall clock since the player was made; it names
 * RTP times, so they run on whatever the viewer does.
 */
export class Player {
  readonly #init: PlayerInit;
  readonly #tracks: readonly Track[];
  readonly #startMs: number;
  #state: PlaybackState["state"] = "connecting";
  #paused = false;
  #loop = false;
  /** While the clock stands: the place. While it runs: the place at `#anchorStream`. */
  #anchorMedia: number;
  #anchorStream = 0;
  /** Stream time up to which sound has left ahead of the picture: nothing may come before it later. */
  #soundUntil = 0;
  /** Set from a seek until all tracks have its segment. */
  #seeking: Seek | undefined;
  /** Where each track's last frame ends: the place from which it is missed. */
  readonly #sentUntil: number[];
  #started = false;
  #lastKeyframeMs = Number.NEGATIVE_INFINITY;

  constructor(init: PlayerInit) {
    this.#init = init;
    this.#startMs = init.nowMs;
    this.#anchorMedia = init.startSeconds;
    this.#sentUntil = init.tracks.map(() => init.startSeconds);
    const pictures = init.tracks.some(track => track.kind === "video");
    this.#tracks = init.tracks.map((track, index) => ({
      index,
      kind: track.kind,
      leadSeconds: pictures && track.kind === "audio" ? AUDIO_LEAD_SECONDS : 0,
      pacer: new Pacer(track.bitrateBps, init.nowMs),
      payload: -1,
      frames: 0,
      late: 0,
      queue: new TrackQueue({
        request: (ticket, place) => init.request(index, ticket, place),
        acquire: segment => init.acquire(index, segment),
        release: segment => init.release(segment),
      }),
    }));
    this.#jump(init.startSeconds, false);
  }

  /** Frames sent, and those of them that were late. */
  get counts(): { readonly frames: number; readonly late: number } {
    return {
      frames: this.#tracks.reduce((sum, track) => sum + track.frames, 0),
      late: this.#tracks.reduce((sum, track) => sum + track.late, 0),
    };
  }

  /** Seconds of media here beyond the place that is played. */
  bufferedSeconds(nowMs: number): number {
    const position = this.#position(this.#stream(nowMs));
    const ahead = this.#tracks.map(track => (track.queue.bufferedUntil ?? position) - position);
    return Math.max(0, Math.min(...ahead));
  }

  streamSeconds(nowMs: number): number {
    return this.#stream(nowMs);
  }

  playback(nowMs: number): PlaybackState {
    return {
      state: this.#state,
      positionSeconds: this.#position(this.#stream(nowMs)),
      durationSeconds: this.#init.durationSeconds,
      loop: this.#loop,
    };
  }

  /** The viewer can receive: the clock starts. */
  start(nowMs: number): void {
    if (this.#started || this.#state === "closed") return;
    this.#started = true;
    this.#setState("buffering");
    this.tick(nowMs);
  }

  pause(nowMs: number): void {
    if (this.#paused || this.#state === "closed") return;
    this.#freeze(nowMs);
    this.#paused = true;
    if (this.#started && this.#seeking === undefined && this.#state !== "ended") this.#setState("paused");
  }

  resume(nowMs: number): void {
    if (this.#state === "closed") return;
    const wasPaused = this.#paused;
    this.#paused = false;
    if (this.#state === "ended") void this.seek(0, nowMs);
    else if (wasPaused && this.#started && this.#seeking === undefined) this.#run(nowMs);
  }

  setLoop(loop: boolean): void {
    if (this.#loop === loop) return;
    this.#loop = loop;
    this.#init.onChange();
  }

  /** Goes to the keyframe at or before `seconds`; resolves when it is known which that is. */
  async seek(seconds: number, nowMs: number): Promise<void> {
    if (this.#state === "closed") return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = [...(this.#seeking?.done ?? []), resolve];
    this.#freeze(nowMs);
    this.#jump(Math.min(Math.max(0, seconds), this.#init.durationSeconds), false, done);
    if (this.#started) this.#setState("buffering");
    await promise;
  }

  /** The viewer cannot go on without a keyframe: one step back, at most one per 300 ms. */
  requestKeyframe(nowMs: number): void {
    if (!this.#started || this.#seeking !== undefined || this.#state === "ended" || this.#state === "closed")
      return;
    if (nowMs - this.#lastKeyframeMs < KEYFRAME_INTERVAL_MS) return;
    this.#lastKeyframeMs = nowMs;
    this.#freeze(nowMs);
    this.#jump(this.#anchorMedia, true);
  }

  deliver(track: number, ticket: number, segment: Segment | undefined): void {
    this.#tracks[track]?.queue.deliver(ticket, segment);
  }

  /** Sends what is due. */
  tick(nowMs: number): void {
    if (!this.#started || this.#state === "closed") return;
    for (const track of this.#tracks) track.pacer.tick(nowMs);
    if (this.#seeking !== undefined) this.#land(nowMs);
    else if (this.#state === "buffering" && this.#ready()) this.#run(nowMs);
    if (this.#state === "playing") this.#play(nowMs);
    for (const track of this.#tracks) track.queue.fill(this.#position(this.#stream(nowMs)));
  }

  close(): void {
    this.#state = "closed";
    this.#finishSeek();
    for (const track of this.#tracks) track.queue.close();
  }

  #stream(nowMs: number): number {
    return (nowMs - this.#startMs) / 1000;
  }

  #position(stream: number): number {
    if (this.#state !== "playing") return this.#anchorMedia;
    const played = Math.max(0, stream - this.#anchorStream);
    return Math.min(this.#anchorMedia + played, this.#init.durationSeconds);
  }

  #freeze(nowMs: number): void {
    this.#anchorMedia = this.#position(this.#stream(nowMs));
  }

  #jump(seconds: number, quiet: boolean, done: readonly (() => void)[] = []): void {
    this.#seeking = { done, quiet, again: false };
    this.#anchorMedia = seconds;
    for (const track of this.#tracks) {
      track.payload = -1;
      this.#sentUntil[track.index] = seconds;
      track.queue.seek(seconds);
    }
    // Until it lands the clock stands; a quiet seek keeps that to itself.
    if (quiet && this.#state === "playing") this.#state = "buffering";
  }

  /** True when each track has its next frame or none to come. */
  #ready(): boolean {
    return this.#tracks.every(track => track.queue.nextSeconds !== undefined || track.queue.ended);
  }

  /** Ends a seek once all segments are here: the picture decides the place, sound follows it. */
  #land(nowMs: number): void {
    const seek = this.#seeking;
    if (seek === undefined || !this.#ready()) return;
    const leader = this.#tracks.find(
      track => track.kind === "video" && track.queue.nextSeconds !== undefined,
    );
    const place = leader?.queue.nextSeconds ?? this.#anchorMedia;
    const sound = this.#tracks.filter(track => track.kind === "audio" && !track.queue.ended);
    const missing = sound.filter(track => (track.queue.head?.segment.startSeconds ?? 0) > place + EPSILON);
    if (!seek.again && missing.length > 0) {
      // The keyframe lies well before the wanted place: sound from there is in an earlier segment.
      seek.again = true;
      for (const track of missing) track.queue.seek(place);
      return;
    }
    for (const track of sound) track.queue.skipTo(place - EPSILON);
    // Sound of that place may begin in the segment after: it is asked for, and waited for.
    for (const track of sound) track.queue.fill(place);
    if (!this.#ready()) return;
    this.#anchorMedia = Math.min(place, this.#init.durationSeconds);
    for (const track of this.#tracks) track.pacer.restart();
    this.#finishSeek();
    if (this.#paused) {
      this.#showPicture(nowMs);
      this.#setState("paused");
    } else {
      this.#run(nowMs, seek.quiet);
    }
  }

  /** Lets the clock run from the place where it stands. */
  #run(nowMs: number, quiet = false): void {
    this.#anchorStream = Math.max(this.#stream(nowMs), this.#soundUntil);
    if (quiet) this.#state = "playing";
    else this.#setState("playing");
  }

  #play(nowMs: number): void {
    const stream = this.#stream(nowMs);
    for (const track of this.#tracks) this.#sendDue(track, stream);
    const position = this.#position(stream);
    const missed = this.#starved().map(track => this.#sentUntil[track.index] ?? 0);
    if (missed.some(place => position >= place - EPSILON)) {
      this.#anchorMedia = Math.min(position, ...missed);
      this.#setState("buffering");
    } else if (this.#tracks.every(track => track.queue.ended)) {
      this.#end(nowMs, stream);
    }
  }

  /** Tracks whose next frame is not here although there is one. */
  #starved(): Track[] {
    return this.#tracks.filter(track => track.queue.nextSeconds === undefined && !track.queue.ended);
  }

  #end(nowMs: number, stream: number): void {
    const end = Math.max(0, ...this.#sentUntil);
    if (this.#anchorMedia + stream - this.#anchorStream < end - EPSILON) return;
    if (this.#loop) {
      this.#jump(0, true);
      this.#land(nowMs);
      return;
    }
    this.#anchorMedia = this.#init.durationSeconds;
    this.#setState("ended");
  }

  #sendDue(track: Track, stream: number): void {
    for (;;) {
      const { queue } = track;
      const next = queue.nextSeconds;
      const { head } = queue;
      if (next === undefined || head === undefined) return;
      const due = this.#anchorStream + next - this.#anchorMedia;
      if (due > stream + track.leadSeconds + EPSILON) return;
      if (!this.#sendFrame(track, head, due)) return;
      if (track.leadSeconds > 0) this.#soundUntil = Math.max(this.#soundUntil, due + track.leadSeconds);
      track.frames++;
      if (stream - due > LATE_SECONDS) track.late++;
      const following = queue.frame + 1;
      const inHead = following < head.segment.frameCount;
      this.#sentUntil[track.index] =
        (inHead ? head.segment.ptsSeconds[following] : undefined) ?? head.segment.endSeconds;
      queue.advance();
    }
  }

  /** False when a large keyframe is only part way out. */
  #sendFrame(track: Track, head: PacketisedSegment, streamSeconds: number): boolean {
    const from = head.frameStart[track.queue.frame] ?? 0;
    const to = head.frameStart[track.queue.frame + 1] ?? from;
    const paced = track.kind === "video" && track.queue.nextIsKey;
    for (let at = Math.max(from, track.payload); at < to; at++) {
      if (paced && !track.pacer.mayCarryOn) {
        track.payload = at;
        return false;
      }
      const payload = head.payloads[at];
      if (payload === undefined) continue;
      this.#init.send(track.index, payload, streamSeconds, track.kind === "video" && at === to - 1);
      track.pacer.spend(payload.length);
    }
    track.payload = -1;
    return true;
  }

  /** While paused, a seek still shows where it went. */
  #showPicture(nowMs: number): void {
    const stream = this.#stream(nowMs);
    for (const track of this.#tracks) {
      const { head } = track.queue;
      if (track.kind !== "video" || head === undefined) continue;
      for (
        let at = head.frameStart[track.queue.frame] ?? 0;
        at < (head.frameStart[track.queue.frame + 1] ?? 0);
        at++
      ) {
        const payload = head.payloads[at];
        const last = at + 1 === head.frameStart[track.queue.frame + 1];
        if (payload !== undefined) this.#init.send(track.index, payload, stream, last);
      }
      track.queue.advance();
    }
  }

  #finishSeek(): void {
    const done = this.#seeking?.done ?? [];
    this.#seeking = undefined;
    for (const resolve of done) resolve();
  }

  #setState(state: PlaybackState["state"]): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#init.onChange();
  }
}
