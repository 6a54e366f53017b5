import type { QualityDecision } from "./types.ts";

/** Entries kept of a session: some minutes of a bad path, hours of a good one. */
export const MAX_DECISIONS = 64;

/** The last decisions of a session, oldest first. */
export class DecisionLog {
  readonly #entries: QualityDecision[] = [];
  /** Entries there were in all. */
  total = 0;

  add(entry: QualityDecision): void {
    if (this.#entries.length >= MAX_DECISIONS) this.#entries.shift();
    this.#entries.push(entry);
    this.total++;
  }

  list(): readonly QualityDecision[] {
    return [...this.#entries];
  }
}
