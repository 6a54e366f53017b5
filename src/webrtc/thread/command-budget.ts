import { MAX_COMMANDS_PER_SECOND } from "@cidcast/protocols/media-control";

/** Counts the commands of a viewer over the last second. */
export class CommandBudget {
  #windowStart = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** False when there were too many. */
  take(nowMs: number): boolean {
    if (nowMs - this.#windowStart >= 1000) {
      this.#windowStart = nowMs;
      this.#count = 0;
    }
    this.#count++;
    return this.#count <= MAX_COMMANDS_PER_SECOND;
  }
}
