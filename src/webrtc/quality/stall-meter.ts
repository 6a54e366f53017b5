import type { PlaybackState } from "../types.ts";

/** Time that a session plays, and that it stands still although it is to play. */
export class StallMeter {
  #state: PlaybackState["state"] = "connecting";
  #sinceMs: number;
  #playedMs = 0;
  #stalledMs = 0;
  #begun = false;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** True while it stands still although it has played before. */
  get stalled(): boolean {
    return this.#begun && this.#state === "buffering";
  }

  /** The state is another. */
  state(state: PlaybackState["state"], nowMs: number): void {
    this.#count(nowMs);
    this.#state = state;
    if (state === "playing") this.#begun = true;
  }

  seconds(nowMs: number): { readonly played: number; readonly stalled: number } {
    this.#count(nowMs);
    return { played: this.#playedMs / 1000, stalled: this.#stalledMs / 1000 };
  }

  #count(nowMs: number): void {
    const passed = Math.max(0, nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
    if (this.#state === "playing") this.#playedMs += passed;
    else if (this.stalled) this.#stalledMs += passed;
  }
}
