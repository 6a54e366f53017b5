import { CidcastError } from "../../core/index.ts";
import { EARLY_END_SECONDS, type Segment } from "../../media/index.ts";
import type { LoopRange, PlaybackState } from "../types.ts";
import { Pacer } from "./pacer.ts";
import { pictureBps, Pictures } from "./pictures.ts";
import {
  AUDIO_LEAD_SECONDS,
  countFrames,
  type FrameCounts,
  nextPlace,
  PlayingTrack,
} from "./playing-track.ts";
import { type JumpInit, placeOf, sameRange, type Seek } from "./seek.ts";
import { EPSILON, KEYFRAME_INTERVAL_MS, LATE_SECONDS, SETTLE_SECONDS, STEP_BACK_SECONDS } from "./times.ts";
import type { PlayerInit, PlayerTrackInit } from "./types.ts";
import { VideoBudget } from "./video-budget.ts";

/**
 * One viewer's playing: media time onto stream time. Stream time is the wall clock since the player was made; it names
 * RTP times, so they run on whatever the viewer does.
 */
export class Player {
  readonly #init: PlayerInit;
  readonly #tracks: PlayingTrack[] = [];
  /** The pictures that places are measured by. */
  #video: PlayingTrack | undefined;
  #durationSeconds: number;
  readonly #budget: VideoBudget;
  readonly #pacer: Pacer;
  /** In which rung pictures are sent, and whether they are. */
  readonly pictures: Pictures;
  readonly #startMs: number;
  #state: PlaybackState["state"] = "connecting";
  #paused = false;
  #loop = false;
  #range: LoopRange | undefined;
  #rate = 1;
  /** The last seek reached the picture asked for. */
  #exact = true;
  /** While the clock stands: the place. While it runs: the place at `#anchorStream`. */
  #anchorMedia: number;
  #anchorStream = 0;
  /** Stream time up to which sound has left ahead of the picture: nothing may come before it later. */
  #soundUntil = 0;
  /** Stream time from which on nothing leaves that is only decoded. */
  #landed = 0;
  /** Set from a seek until all tracks have its segment. */
  #seeking: Seek | undefined;
  #started = false;
  #lastKeyframeMs = Number.NEGATIVE_INFINITY;

  constructor(init: PlayerInit) {
    this.#init = init;
    this.#startMs = init.nowMs;
    this.#budget = new VideoBudget(init.nowMs);
    this.#pacer = init.pacer ?? new Pacer(init.nowMs);
    this.#pacer.steady = init.rung !== undefined;
    this.#anchorMedia = init.startSeconds;
    this.#durationSeconds = init.durationSeconds;
    for (const track of init.tracks) this.#insert(track);
    this.pictures = new Pictures({
      budget: this.#budget,
      track: this.#video,
      rung: init.rung,
      bitrateBps: init.tracks.reduce((sum, track) => sum + pictureBps(track), 0),
      onRung: rung => init.onRung?.(rung),
      onFailed: rung => init.onRungFailed?.(rung),
    });
    this.#jump(init.startSeconds, { exact: true });
  }

  get counts(): FrameCounts {
    return countFrames(this.#tracks);
  }

  /** Seconds of media here beyond the place that is played. */
  bufferedSeconds(nowMs: number): number {
    const position = this.#position(this.#stream(nowMs));
    const ahead = this.#heard().map(track => (track.queue.bufferedUntil ?? position) - position);
    return ahead.length === 0 ? 0 : Math.max(0, Math.min(...ahead));
  }

  streamSeconds(nowMs: number): number {
    return this.#stream(nowMs);
  }

  playback(nowMs: number): PlaybackState {
    return {
      state: this.#state,
      positionSeconds: this.#position(this.#stream(nowMs)),
      durationSeconds: this.#durationSeconds,
      loop: this.#loop,
      loopRange: this.#range,
      rate: this.#rate,
      exact: this.#exact,
      pictureTime: this.#init.pictureTime?.(this.#landed),
      soundMuted: this.#tracks.some(track => track.muted && !track.off),
    };
  }

  /** Takes one more track; it begins at the place that the others have got to. */
  addTrack(track: PlayerTrackInit, durationSeconds: number, nowMs: number): void {
    if (this.#state === "closed") return;
    this.#durationSeconds = Math.max(this.#durationSeconds, durationSeconds);
    const added = this.#insert(track);
    this.pictures.bitrateBps += pictureBps(track);
    this.#join(added, nowMs);
    this.#init.onChange();
  }

  /** Stops sending a track, or goes on with it. Nothing is asked for while it is off. */
  setEnabled(track: number, enabled: boolean, nowMs: number): void {
    const changed = this.#tracks[track];
    if (changed === undefined || changed.off !== enabled) return;
    changed.off = !enabled;
    if (enabled) this.#join(changed, nowMs);
    else changed.mute();
    this.#video = this.#leader();
    this.#init.onChange();
  }

  /** What a track is read from has changed: it goes on with that at once. */
  renew(track: number, nowMs: number): void {
    const renewed = this.#tracks[track];
    if (renewed !== undefined && !renewed.off && this.#state !== "closed") this.#join(renewed, nowMs);
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

  /** Repeats everything, or a part of it. */
  setLoop(loop: boolean, range?: LoopRange): void {
    const durationSeconds = this.#durationSeconds;
    if (range !== undefined && durationSeconds > 0 && range.startSeconds >= durationSeconds) {
      throw new CidcastError("INVALID_REQUEST", "the part to repeat lies past the end");
    }
    const wanted = loop ? range : undefined;
    if (this.#loop === loop && sameRange(this.#range, wanted)) return;
    this.#loop = loop;
    this.#range = wanted;
    this.#init.onChange();
  }

  /** Plays that many seconds of media per second from here on. */
  setRate(rate: number, nowMs: number): void {
    if (this.#state === "closed" || rate === this.#rate) return;
    this.#freeze(nowMs);
    this.#anchorStream = Math.max(this.#stream(nowMs), this.#soundUntil);
    this.#rate = rate;
    for (const track of this.#tracks) {
      if (track.kind !== "audio") continue;
      track.seek(this.#anchorMedia, rate);
      track.joining = this.#video !== undefined && !track.muted && this.#seeking === undefined;
    }
    this.#init.onChange();
  }

  /** Goes to the picture of `seconds`, or to the keyframe before it; resolves when it is known where that is. */
  async seek(seconds: number, nowMs: number, exact = true): Promise<void> {
    await this.#seek(seconds, nowMs, { exact });
  }

  /** Shows the next picture, or the one before. `CONFLICT` where there are no pictures. */
  async step(frames: 1 | -1, nowMs: number): Promise<void> {
    const video = this.#video;
    if (video === undefined) throw new CidcastError("CONFLICT", "there are no pictures to step through");
    this.pause(nowMs);
    if (!this.#started || this.#state === "closed" || this.#seeking !== undefined) return;
    if (frames < 0) return this.#seek(video.shown - STEP_BACK_SECONDS, nowMs, { exact: true, snap: true });
    const { nextSeconds } = video.queue;
    if (nextSeconds === undefined) return;
    this.#anchorMedia = nextSeconds;
    this.#showPicture(nowMs);
    for (const track of this.#heard()) {
      if (track.kind === "audio") track.queue.skipTo(nextSeconds - EPSILON);
    }
    this.#init.onChange();
  }

  /** The viewer cannot go on without a keyframe: one step back, at most one per 300 ms. */
  requestKeyframe(nowMs: number): void {
    if (!this.#started || this.#seeking !== undefined || this.#state === "ended" || this.#state === "closed")
      return;
    // While the path carries too little, the next keyframe comes by itself.
    if (nowMs - this.#lastKeyframeMs < KEYFRAME_INTERVAL_MS || this.#budget.skipping) return;
    this.#lastKeyframeMs = nowMs;
    this.#freeze(nowMs);
    this.#jump(this.#anchorMedia, { quiet: true });
  }

  /** The sound of this rate cannot be had: playing goes on without. */
  silence(track: number, ticket: number): void {
    const silent = this.#tracks[track];
    if (silent === undefined || !silent.queue.isWaitingFor(ticket)) return;
    silent.mute();
    this.#init.onChange();
  }

  deliver(track: number, ticket: number, segment: Segment | undefined, rung?: string): void {
    if (this.pictures.splice(track, ticket, segment, rung)) return;
    this.#tracks[track]?.queue.deliver(ticket, segment, rung);
  }

  /** Sends what is due. */
  tick(nowMs: number): void {
    if (!this.#started || this.#state === "closed") return;
    const path = this.#init.path?.(nowMs);
    this.#pacer.tick(nowMs, this.pictures.bitrateBps, path);
    this.#budget.tick(nowMs, path);
    if (this.#seeking === undefined) this.#joinPictures(nowMs);
    if (this.#seeking !== undefined) this.#land(nowMs);
    else if (this.#state === "buffering" && this.#ready()) this.#run(nowMs);
    if (this.#state === "playing") this.#play(nowMs);
    const position = this.#position(this.#stream(nowMs));
    for (const track of this.#tracks) if (!track.muted) track.queue.fill(position, this.#rate);
  }

  /** Until when a tick would do nothing unless something comes: when the next frame is due, ms. `nowMs`: it may do something now. */
  idleUntilMs(nowMs: number): number {
    if (this.#seeking !== undefined) return nowMs;
    if (this.#state === "paused" || this.#state === "ended") return Number.POSITIVE_INFINITY;
    if (this.#state !== "playing") return nowMs;
    const next = nextPlace(this.#tracks, this.#rate);
    if (next === undefined) return nowMs;
    const place = Math.min(next, this.#range?.endSeconds ?? next);
    return this.#startMs + (this.#anchorStream + (place - this.#anchorMedia) / this.#rate) * 1000;
  }

  close(): void {
    this.#state = "closed";
    this.#finishSeek();
    for (const track of this.#tracks) track.queue.close();
  }

  #insert({ kind }: PlayerTrackInit): PlayingTrack {
    const { request, acquire, release, send } = this.#init;
    const index = this.#tracks.length;
    const added = new PlayingTrack({
      index,
      kind,
      startSeconds: this.#init.startSeconds,
      pacer: this.#pacer,
      queue: {
        request: (ticket, place) => request(index, ticket, place),
        acquire: segment => acquire(index, segment),
        release,
      },
      send: (payload, streamSeconds, marker) => send(index, payload, streamSeconds, marker),
    });
    this.#tracks.push(added);
    this.#video = this.#leader();
    const lead = this.#tracks.some(({ kind }) => kind === "video") ? AUDIO_LEAD_SECONDS : 0;
    for (const each of this.#tracks) each.leadSeconds = each.kind === "audio" ? lead : 0;
    return added;
  }

  #leader(): PlayingTrack | undefined {
    return this.#tracks.find(track => track.kind === "video" && !track.off);
  }

  /** Lets a track come in where the others are; they go on meanwhile. */
  #join(track: PlayingTrack, nowMs: number): void {
    track.seek(this.#position(this.#stream(nowMs)), this.#rate);
    const alone = this.#heard().every(other => other === track);
    track.joining = this.#seeking === undefined && !track.muted && (track.kind === "video" || !alone);
  }

  /** Pictures that come in: those before the place leave ahead of it, for they are decoded on the way. */
  #joinPictures(nowMs: number): void {
    for (const track of this.#tracks) {
      if (!track.joining || track.kind !== "video") continue;
      const stream = this.#stream(nowMs);
      const place = this.#position(stream) + EPSILON;
      if (!track.lead(place, stream)) continue;
      track.joining = false;
      if (this.#state === "paused") track.showUntil(place, stream);
    }
  }

  #stream(nowMs: number): number {
    return (nowMs - this.#startMs) / 1000;
  }

  #position(stream: number): number {
    if (this.#state !== "playing") return this.#anchorMedia;
    const played = Math.max(0, stream - this.#anchorStream) * this.#rate;
    return Math.min(this.#anchorMedia + played, this.#durationSeconds);
  }

  #freeze(nowMs: number): void {
    this.#anchorMedia = this.#position(this.#stream(nowMs));
  }

  async #seek(seconds: number, nowMs: number, init: JumpInit): Promise<void> {
    if (this.#state === "closed") return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = [...(this.#seeking?.done ?? []), resolve];
    this.#freeze(nowMs);
    this.#jump(Math.min(Math.max(0, seconds), this.#durationSeconds), { ...init, done });
    if (this.#started) this.#setState("buffering");
    await promise;
  }

  #jump(seconds: number, { quiet = false, exact = false, snap = false, done = [] }: JumpInit): void {
    this.#seeking = { done, quiet, exact, snap, again: false, led: false, covered: false };
    this.#anchorMedia = seconds;
    for (const track of this.#tracks) track.seek(seconds, this.#rate);
    // Until it lands the clock stands; a quiet seek keeps that to itself.
    if (quiet && this.#state === "playing") this.#state = "buffering";
  }

  /** Tracks that are sent at this rate. */
  #heard(): readonly PlayingTrack[] {
    return this.#tracks.filter(track => !track.muted);
  }

  /** True when each track has its next frame or none to come. */
  #ready(): boolean {
    return this.#tracks.every(track => track.ready || track.joining);
  }

  /** Ends a seek once all segments are here: the picture decides the place, sound follows it. */
  #land(nowMs: number): void {
    const seek = this.#seeking;
    if (seek === undefined) return;
    const video = this.#video;
    if (seek.exact && !seek.led && video !== undefined && !this.#reach(video, seek, nowMs)) return;
    if (!this.#ready()) return;
    const leader = video?.queue.nextSeconds === undefined ? undefined : video;
    const place = placeOf(leader, seek, this.#anchorMedia);
    const sound = this.#tracks.filter(track => track.kind === "audio" && !track.queue.ended);
    const missing = sound.filter(track => (track.queue.head?.segment.startSeconds ?? 0) > place + EPSILON);
    if (!seek.again && missing.length > 0) {
      // The keyframe lies well before the wanted place: sound from there is in an earlier segment.
      seek.again = true;
      for (const track of missing) track.queue.seek(place, this.#rate);
      return;
    }
    for (const track of sound) track.queue.skipTo(place - EPSILON);
    // Sound of that place may begin in the segment after: it is asked for, and waited for.
    for (const track of sound) track.queue.fill(place, this.#rate);
    if (!this.#ready()) return;
    const others = this.#tracks.filter(track => track.kind === "video" && track !== video);
    if (others.filter(track => !track.lead(place + EPSILON, this.#stream(nowMs))).length > 0) return;
    this.#exact =
      leader === undefined || (leader.queue.followingSeconds ?? place) > this.#anchorMedia - EPSILON;
    this.#anchorMedia = Math.min(place, this.#durationSeconds);
    this.#pacer.restart();
    if (!seek.quiet) this.#budget.restart();
    this.#finishSeek();
    this.#landed = this.#stream(nowMs);
    if (seek.covered) this.#init.onLeadIn?.(this.#landed);
    if (this.#paused) {
      this.#showPicture(nowMs);
      this.#setState("paused");
    } else {
      this.#run(nowMs, seek.quiet);
    }
  }

  /** Goes on to the picture asked for. False while that takes. */
  #reach(video: PlayingTrack, seek: Seek, nowMs: number): boolean {
    const stream = this.#stream(nowMs);
    const there = video.lead(this.#anchorMedia + EPSILON, stream);
    if (seek.quiet && video.wasLed && !seek.covered) {
      seek.covered = true;
      this.#init.onLeadIn?.(undefined);
    }
    if (!there) return false;
    if (video.wasLed && stream < video.lastStream + SETTLE_SECONDS) return false;
    seek.led = true;
    return true;
  }

  /** Lets the clock run from the place where it stands. */
  #run(nowMs: number, quiet = false): void {
    const sent = this.#tracks.map(track => track.lastStream);
    this.#anchorStream = Math.max(this.#stream(nowMs), this.#soundUntil, ...sent);
    for (const track of this.#heard()) {
      // Passed over by steps of the picture.
      if (track.kind === "audio") track.queue.skipTo(this.#anchorMedia - EPSILON);
    }
    if (quiet) this.#state = "playing";
    else this.#setState("playing");
  }

  #play(nowMs: number): void {
    const stream = this.#stream(nowMs);
    const position = this.#position(stream);
    for (const track of this.#tracks) {
      track.join(position);
      if (!track.joining) this.#sendDue(track, stream);
    }
    let missed = Number.POSITIVE_INFINITY;
    let ended = true;
    for (const track of this.#tracks) {
      if (track.starved) missed = Math.min(missed, track.sentUntil);
      ended &&= track.queue.ended;
    }
    if (position >= missed - EPSILON) {
      this.#anchorMedia = Math.min(position, missed);
      this.#setState("buffering");
    } else if (this.#range !== undefined && position >= this.#range.endSeconds - EPSILON) {
      this.#repeat(this.#range.startSeconds, nowMs);
    } else if (ended) {
      this.#end(nowMs, stream);
    }
  }

  #repeat(seconds: number, nowMs: number): void {
    this.#jump(seconds, { quiet: true, exact: true });
    this.#land(nowMs);
  }

  #end(nowMs: number, stream: number): void {
    const heard = this.#heard();
    // Without anything that is sent the clock alone says when it is over.
    const ends = heard.map(track => track.sentUntil);
    const end = heard.length === 0 ? this.#durationSeconds : Math.max(0, ...ends);
    const played = (stream - this.#anchorStream) * this.#rate;
    if (this.#anchorMedia + played < end - EPSILON) return;
    if (this.#loop) return this.#repeat(this.#range?.startSeconds ?? 0, nowMs);
    const early = heard.length > 0 && this.#durationSeconds - end > EARLY_END_SECONDS;
    this.#anchorMedia = early ? end : this.#durationSeconds;
    this.#setState("ended");
  }

  #sendDue(track: PlayingTrack, stream: number): void {
    for (;;) {
      const next = track.queue.nextSeconds;
      if (next === undefined) return;
      const due = this.#anchorStream + (next - this.#anchorMedia) / this.#rate;
      if (due > stream + track.leadSeconds + EPSILON) {
        if (track.kind === "video") this.#pacer.heldSeconds = 0;
        return;
      }
      if (!this.#admit(track, stream - due)) {
        track.skip();
        continue;
      }
      if (!track.sendPaced(due)) {
        this.#pacer.heldSeconds = stream - due;
        return;
      }
      if (track.leadSeconds > 0) this.#soundUntil = Math.max(this.#soundUntil, due + track.leadSeconds);
      track.frames++;
      if (stream - due > LATE_SECONDS && !track.isCatchingUp) track.late++;
    }
  }

  /** False for a frame that the path has no room for. One that is part way out goes on. */
  #admit(track: PlayingTrack, lateSeconds: number): boolean {
    if (track.isPartWayOut) return true;
    if (track.kind === "video") return this.pictures.admit(track, lateSeconds);
    this.#budget.spend(track.nextBytes);
    return true;
  }

  /** While paused, a seek still shows where it went. */
  #showPicture(nowMs: number): void {
    const stream = this.#stream(nowMs);
    this.#video?.sendWhole(stream);
    for (const track of this.#tracks) {
      if (track.kind === "video" && track !== this.#video)
        track.showUntil(this.#anchorMedia + EPSILON, stream);
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
