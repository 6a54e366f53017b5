import type { BlockGuard } from "./blockstore.ts";

class Guard implements BlockGuard {
  readonly #open: Set<Guard>;
  /** First moment protected: that of the oldest guard open when this one was opened. */
  readonly since: number;

  constructor(open: Set<Guard>, now: number) {
    this.#open = open;
    let since = now;
    for (const guard of open) since = Math.min(since, guard.since);
    this.since = since;
    open.add(this);
  }

  release(): void {
    this.#open.delete(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Counts the moments at which blocks are put, and tells which of them are protected. */
export class Guards {
  #now = 1;
  readonly #open = new Set<Guard>();

  /** The moment of a put. */
  tick(): number {
    return this.#now++;
  }

  /** True while blocks that are put have to be remembered. */
  get anyOpen(): boolean {
    return this.#open.size > 0;
  }

  open(): BlockGuard {
    return new Guard(this.#open, this.#now);
  }

  /** Blocks put at this moment or later are protected from a sweep that began with `guard`. */
  protectedSince(guard: BlockGuard): number {
    return guard instanceof Guard ? guard.since : 0;
  }
}
