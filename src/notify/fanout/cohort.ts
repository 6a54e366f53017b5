import type { Cancel, Clock } from "../../core/index.ts";
import { FLUSH_BYTES } from "../limits.ts";
import type { RingEntry } from "../log/index.ts";
import { Batch } from "./frame.ts";
import type { FrameSlab } from "./frame-slab.ts";
import type { Selection } from "./selection.ts";

/** A subscriber as its cohort sees it. */
export interface CohortMember {
  /** Takes a batch; false when it cannot keep up, and has left the cohort. */
  deliver(batch: Batch): boolean;
}

export interface CohortInit {
  readonly selection: Selection;
  readonly clock: Clock;
  readonly slab: FrameSlab;
  /** Offset that the next event of the log gets. */
  readonly nextOffset: () => number;
  /** Called before events leave the node. */
  readonly commit: () => void;
  /** Told how many deliveries a flush made. */
  readonly delivered: (events: number) => void;
}

/** Subscribers that are up to date and want the same: each event is looked at once for all of them, each flush is built once. */
export class Cohort {
  readonly selection: Selection;
  readonly members = new Set<CohortMember>();
  readonly #clock: Clock;
  readonly #slab: FrameSlab;
  readonly #commit: () => void;
  readonly #delivered: (events: number) => void;
  #pending: RingEntry[] = [];
  #pendingBytes = 0;
  #timer: Cancel | undefined;
  #microtask = false;
  readonly #nextOffset: () => number;

  constructor(init: CohortInit) {
    this.selection = init.selection;
    this.#clock = init.clock;
    this.#slab = init.slab;
    this.#commit = init.commit;
    this.#delivered = init.delivered;
    this.#nextOffset = init.nextOffset;
  }

  /** Where a member that leaves now has to read on. */
  get cursor(): number {
    return this.#pending[0]?.event.offset ?? this.#nextOffset();
  }

  /** Looks at an event of a topic that is selected. */
  offer(entry: RingEntry): void {
    if (!this.selection.takes(entry.event)) return;
    this.#pending.push(entry);
    this.#pendingBytes += entry.bytes;
    if (this.selection.flushMs === 0) this.#flushSoon();
    else if (this.#pendingBytes >= FLUSH_BYTES) this.flush();
    else this.#timer ??= this.#clock.after(this.selection.flushMs, () => this.flush());
  }

  /** Hands everything gathered to the members. */
  flush(): void {
    this.#timer?.();
    this.#timer = undefined;
    if (this.#pending.length === 0) return;
    const batch = new Batch(this.#pending, this.#slab);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#commit();
    let taken = 0;
    for (const member of this.members) if (member.deliver(batch)) taken += 1;
    this.#delivered(taken * batch.entries.length);
  }

  close(): void {
    this.#timer?.();
    this.#timer = undefined;
    this.#pending = [];
    this.members.clear();
  }

  /** At the end of this turn: what a request causes comes after its reply, and a burst goes as one. */
  #flushSoon(): void {
    if (this.#microtask) return;
    this.#microtask = true;
    queueMicrotask(() => {
      this.#microtask = false;
      this.flush();
    });
  }
}
