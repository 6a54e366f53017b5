import type { LoopRange } from "@cidcast/client";
import { formatTime } from "../text/format.ts";

/** Shortest part that is repeated, seconds: nodes take none shorter than 0.2. */
const LEAST_LOOP_SECONDS = 0.25;

/** What a mark made of the part that is repeated, and the words for it. */
export interface Marked {
  readonly words: string;
  /** Set when the part has changed; undefined in it: none is repeated. */
  readonly change?: { readonly range: LoopRange | undefined };
}

/** The part to repeat, as it is marked while playing: first where it begins, then where it ends. */
export class LoopMarks {
  #startSeconds: number | undefined;

  /** Sets one end to `here`, or lets go of both; `range` is what is repeated now. */
  mark(point: "start" | "end" | "none", here: number, range: LoopRange | undefined): Marked {
    if (point === "none") {
      this.forget();
      return { words: "No part is repeated", change: { range: undefined } };
    }
    if (point === "start") {
      this.#startSeconds = here;
      return { words: `Repeat from ${formatTime(here)}: press ] where it ends` };
    }
    const startSeconds = this.#startSeconds ?? range?.startSeconds ?? 0;
    if (here - startSeconds < LEAST_LOOP_SECONDS) return { words: "The end lies before the start" };
    return {
      words: `Repeating ${formatTime(startSeconds)} to ${formatTime(here)}`,
      change: { range: { startSeconds, endSeconds: here } },
    };
  }

  forget(): void {
    this.#startSeconds = undefined;
  }
}

/** Throws `RangeError` for a part that no node repeats. */
export function checkRange(range: LoopRange | undefined): void {
  if (range === undefined) return;
  const { startSeconds, endSeconds } = range;
  if (startSeconds >= 0 && endSeconds - startSeconds >= LEAST_LOOP_SECONDS) return;
  throw new RangeError(`A part to repeat is at least ${LEAST_LOOP_SECONDS} s long`);
}
