import type { Segment } from "../../media/index.ts";
import type { PlayingTrack } from "./playing-track.ts";

/** How much further on a keyframe is asked for when the one before came too late, seconds; then twice as far. */
const LATE_MARGIN_SECONDS = 0.2;
const MAX_MARGIN_SECONDS = 1.6;

export interface RungSwitchInit {
  readonly track: PlayingTrack;
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

  /** That rung is wanted from its next keyframe on. */
  want(rung: string): void {
    if (rung === this.#wanted) return;
    const { queue } = this.#init.track;
    this.#wanted = queue.rung = rung;
    this.#margin = 0;
    if (queue.headRung === rung && rung === this.#shown) queue.stay();
    else this.#ask(rung);
  }

  /** True when that is its request. */
  isFor(track: number, ticket: number): boolean {
    const own = this.#init.track;
    return track === own.index && own.queue.isSwitchingBy(ticket);
  }

  /** The segment that it asked for. */
  deliver(ticket: number, segment: Segment | undefined, rung: string | undefined): void {
    const outcome = this.#init.track.splice(ticket, segment, rung);
    const wanted = this.#wanted;
    if (outcome !== "late" || wanted === undefined) return;
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

  #ask(rung: string): void {
    const { queue, sentUntil, isPartWayOut } = this.#init.track;
    const next = queue.nextSeconds;
    // A picture that is part way out ends first.
    const from = (isPartWayOut ? queue.followingSeconds : next) ?? sentUntil;
    queue.switchTo(rung, from + this.#margin);
  }
}
