import type { Segment } from "../../media/index.ts";
import type { PlayingTrack } from "./playing-track.ts";
import type { PlayerTrackInit } from "./types.ts";
import { RungSwitch, type RungSwitchInit } from "./rung-switch.ts";
import type { VideoBudget } from "./video-budget.ts";

/** Pictures later than this wait for nothing but the next keyframe: a queue must not grow, seconds. */
const GIVE_UP_SECONDS = 0.5;

export interface PicturesInit extends Omit<RungSwitchInit, "track" | "bytesPerSecond"> {
  readonly budget: VideoBudget;
  /** The pictures of a ladder, where there are some, and the rung that they begin with. */
  readonly track: PlayingTrack | undefined;
  readonly rung: string | undefined;
  /** What all pictures take on average, bits per second. */
  readonly bitrateBps: number;
}

/** How a viewer's pictures are sent: in which rung, and which of them at all. */
export class Pictures {
  readonly #budget: VideoBudget;
  readonly #switch: RungSwitch | undefined;
  /** What all pictures take on average, bits per second. */
  bitrateBps: number;

  constructor({ budget, track, rung, bitrateBps, onRung, onFailed }: PicturesInit) {
    this.#budget = budget;
    this.bitrateBps = bitrateBps;
    if (track !== undefined && rung !== undefined) {
      this.#switch = new RungSwitch(
        { track, bytesPerSecond: () => budget.pathBytesPerSecond, onRung, onFailed },
        rung,
      );
    }
  }

  /** The rung that is shown; undefined where there is one quality. */
  get rung(): string | undefined {
    return this.#switch?.shown;
  }

  /** True while pictures are left out. */
  get skipping(): boolean {
    return this.#budget.skipping;
  }

  /** They go on in another rung, which takes `bitrateBps`, from its next keyframe on, or from its last where that is sooner. */
  switchRung(rung: string, bitrateBps: number, from: "next" | "sooner" = "next"): void {
    this.bitrateBps = bitrateBps;
    this.#switch?.want(rung, from);
  }

  /** The rung that is wanted cannot be had. */
  refuseRung(): void {
    this.#switch?.giveUp();
  }

  /** Sound alone, or pictures again from the next keyframe on. */
  pause(paused: boolean): void {
    this.#budget.pause(paused);
  }

  /** True when that is the request for another rung. */
  isSwitchingBy(track: number, ticket: number): boolean {
    return this.#switch?.isFor(track, ticket) === true;
  }

  /** The segment with which another rung takes over; false when it is none. */
  splice(track: number, ticket: number, segment: Segment | undefined, rung: string | undefined): boolean {
    if (!this.isSwitchingBy(track, ticket)) return false;
    this.#switch?.deliver(ticket, segment, rung);
    return true;
  }

  /** False for a picture that the path has no room for. */
  admit(track: PlayingTrack, lateSeconds: number): boolean {
    if (track.isCatchingUp && !this.#budget.paused) return this.#lead(track);
    const { nextIsKey: isKey, nextIsDroppable: alone } = track.queue;
    if (this.#budget.limited && lateSeconds > GIVE_UP_SECONDS && !isKey) this.#budget.skip();
    // After a gap a track begins with a keyframe of its own, whatever the others do.
    const admitted = (isKey || !track.hasGap) && this.#budget.admit(track.nextBytes, isKey, alone);
    // What nothing builds on leaves no gap.
    track.hasGap = !admitted && (track.hasGap || !alone || this.#budget.skipping);
    if (admitted) this.#switch?.noteSent(track);
    return admitted;
  }

  /** Pictures between a keyframe that has passed and the place that is played leave in any case: it was worth it. */
  #lead(track: PlayingTrack): true {
    if (track.queue.nextIsKey) this.#budget.restart();
    this.#budget.spend(track.nextBytes);
    this.#switch?.noteSent(track);
    return true;
  }
}

/** What a track's pictures take on average, bits per second. */
export function pictureBps({ kind, bitrateBps = 0 }: PlayerTrackInit): number {
  return kind === "video" ? bitrateBps : 0;
}
