import type { Segment } from "../../media/index.ts";
import type { PlayingTrack } from "./playing-track.ts";

/** How much further on a keyframe is asked for when the one before came too late, seconds; then twice as far. */
const LATE_MARGIN_SECONDS = 0.2;
const MAX_MARGIN_SECONDS = 1.6;

/** Times of frames that lie no further apart are the same, seconds. */
const SAME_TIME_SECONDS = 0.002;

export interface RungSwitchInit {
  readonly track: PlayingTrack;
  /** What may be sent in a second, bytes. */
  readonly bytesPerSecond: () => number;
  /** The first picture of another rung leaves. */
  readonly onRung: (rung: string) => void;
  /** The rung that was wanted cannot be had now: what is played goes on. */
  readonly onFailed: (rung: string) => void;
}

/** Brings another rung of a ladder into a track that is playing, at its next keyframe. */
export class RungSwitch {
  readonly #init: RungSwitchInit;
  #wanted: string | undefined;
  #shown: string | undefined;
  #margin = 0;
  /** What was asked for may lie before the place that is played. */
  #sooner = false;

  constructor(init: RungSwitchInit, rung: string | undefined) {
    this.#init = init;
    this.#wanted = this.#shown = rung;
    init.track.queue.rung = rung;
  }

  /** The rung that is shown. */
  get shown(): string | undefined {
    return this.#shown;
  }

  /** The rung that is shown or on its way. */
  get wanted(): string | undefined {
    return this.#wanted;
  }

  /** That rung is wanted from its next keyframe on, or from its last one where that is sooner. */
  want(rung: string, from: "next" | "sooner" = "next"): void {
    if (rung === this.#wanted) return;
    const { queue } = this.#init.track;
    this.#wanted = queue.rung = rung;
    this.#margin = 0;
    if (queue.headRung === rung && rung === this.#shown) queue.stay();
    else this.#ask(rung, from === "next" ? "next" : "before");
  }

  /** True when that is its request. */
  isFor(track: number, ticket: number): boolean {
    const own = this.#init.track;
    return track === own.index && own.queue.isSwitchingBy(ticket);
  }

  /** The segment that it asked for. */
  deliver(ticket: number, segment: Segment | undefined, rung: string | undefined): void {
    const { track } = this.#init;
    const next = track.queue.nextSeconds;
    const latest = (next ?? 0) + (track.isPartWayOut ? SAME_TIME_SECONDS : -SAME_TIME_SECONDS);
    const before = this.#sooner && segment !== undefined && segment.startSeconds < latest;
    if (before && track.catchUp(segment, rung, this.#worthBytes(segment, latest))) return;
    const outcome = track.splice(ticket, segment, rung);
    const wanted = this.#wanted;
    if (outcome !== "late" || wanted === undefined) return;
    // What came for the place that is played was not worth it: the next keyframe may be near.
    if (before) return this.#ask(wanted);
    this.#margin = Math.min(MAX_MARGIN_SECONDS, Math.max(LATE_MARGIN_SECONDS, this.#margin * 2));
    this.#ask(wanted);
  }

  /** What is shown goes on. */
  giveUp(): void {
    const { track, onFailed } = this.#init;
    const wanted = this.#wanted;
    track.queue.stay();
    this.#wanted = track.queue.rung = this.#shown;
    if (wanted !== undefined && wanted !== this.#shown) onFailed(wanted);
  }

  /** The next picture of a track leaves. */
  noteSent(track: PlayingTrack): void {
    if (track !== this.#init.track) return;
    const rung = track.queue.headRung;
    if (rung === undefined || rung === this.#shown) return;
    this.#shown = rung;
    this.#init.onRung(rung);
  }

  /** Up to so many bytes, sending from the last keyframe on shows the rung sooner than waiting for its next one. */
  #worthBytes(segment: Segment, next: number): number {
    const { startSeconds, endSeconds, offsets, frameCount } = segment;
    const ownRate = (offsets[frameCount] ?? 0) / Math.max(LATE_MARGIN_SECONDS, endSeconds - startSeconds);
    return Math.max(0, (this.#init.bytesPerSecond() - ownRate) * (endSeconds - next));
  }

  #ask(rung: string, where: "next" | "before" = "next"): void {
    const { queue, sentUntil, isPartWayOut } = this.#init.track;
    const next = queue.nextSeconds;
    // A picture that is part way out ends first.
    this.#sooner = where === "before" && next !== undefined;
    if (where === "before" && next !== undefined) return queue.switchTo(rung, next, where);
    const from = (isPartWayOut ? queue.followingSeconds : next) ?? sentUntil;
    queue.switchTo(rung, from + this.#margin);
  }
}
