import { HIGH_WATER_BYTES, MAX_DROPS, MAX_WAITING_CHANGES, PAGES_PER_TURN, STALL_MS } from "../limits.ts";
import type { EventLog } from "../log/index.ts";
import type { Lost } from "../types.ts";
import type { Cohort, CohortMember } from "./cohort.ts";
import { Batch } from "./frame.ts";
import type { FrameSlab } from "./frame-slab.ts";
import { coalesced, type Selection } from "./selection.ts";

/** Where the events of one subscriber go. */
export interface Sink {
  write(batch: Batch): void;
  bufferedBytes(): number;
  /** Events are gone before they could be written. */
  lost(lost: Lost): void;
  /** The subscriber is given up. */
  giveUp(reason: string): void;
}

/** What a subscriber needs of the fan-out it belongs to. */
export interface SubscriberHost {
  readonly log: EventLog;
  readonly slab: FrameSlab;
  monotonicMs(): number;
  cohortOf(selection: Selection): Cohort;
  leave(cohort: Cohort, member: CohortMember): void;
  /** Asks to be pumped again at the next tick. */
  behind(subscriber: Subscriber): void;
  delivered(events: number): void;
}

interface Change {
  /** Offset from which the selection holds. */
  readonly at: number;
  readonly selection: Selection;
}

/**
 * One reader of the log. While it keeps up it is a member of a cohort. When its socket fills it becomes a cursor into the
 * log: nothing is queued for it, and what the log forgets meanwhile it is told to have lost.
 */
export class Subscriber implements CohortMember {
  readonly #host: SubscriberHost;
  readonly #sink: Sink;
  #selection: Selection | undefined;
  #changes: Change[] = [];
  #cohort: Cohort | undefined;
  #cursor: number;
  #drops = 0;
  #closed = false;
  #stalledSince: number | undefined;
  #lastBuffered = 0;

  constructor(host: SubscriberHost, sink: Sink) {
    this.#host = host;
    this.#sink = sink;
    this.#cursor = host.log.nextOffset;
  }

  /** Offset after the last event that was written or passed over. */
  get cursor(): number {
    return this.#cohort?.cursor ?? this.#cursor;
  }

  get isLive(): boolean {
    return this.#cohort !== undefined;
  }

  /**
   * Changes what is wanted. Events before this moment go out by the old selection, after `reply`; with `from`, everything
   * from that offset on goes out by the new one instead.
   */
  select(selection: Selection | undefined, reply: () => void, from?: number): void {
    if (this.#closed) return;
    this.#leaveCohort();
    reply();
    const head = this.#host.log.nextOffset;
    if (from !== undefined || this.#selection === undefined) {
      this.#cursor = from ?? head;
      this.#changes = [];
      this.#selection = selection;
    } else {
      const wanted = selection ?? nothing(this.#selection);
      if (this.#changes.length >= MAX_WAITING_CHANGES) this.#changes.pop();
      this.#changes.push({ at: head, selection: wanted });
    }
    this.pump();
  }

  deliver(batch: Batch): boolean {
    if (this.#sink.bufferedBytes() > HIGH_WATER_BYTES) {
      const first = batch.entries[0]?.event.offset;
      this.#leaveCohort();
      // The cohort has moved on already: this batch is what has to be read again.
      if (first !== undefined) this.#cursor = first;
      this.#host.behind(this);
      return false;
    }
    this.#sink.write(batch);
    return true;
  }

  /** Writes as much as the sink takes; back among the live ones when everything is written. */
  pump(): void {
    if (this.#closed || this.#cohort !== undefined || this.#selection === undefined) return;
    for (let pages = 0; !this.#closed; pages += 1) {
      if (pages === PAGES_PER_TURN) return this.#host.behind(this);
      const buffered = this.#sink.bufferedBytes();
      if (buffered > HIGH_WATER_BYTES) {
        this.#watchStall(buffered);
        if (!this.#closed) this.#host.behind(this);
        return;
      }
      this.#stalledSince = undefined;
      if (this.#cursor >= this.#host.log.nextOffset) return this.#joinCohort();
      this.#writePage();
    }
  }

  /** The log was numbered anew: one that was behind has lost what it had not read. */
  restart(): void {
    if (this.#closed || this.#cohort !== undefined || this.#selection === undefined) return;
    const head = this.#host.log.nextOffset;
    this.#cursor = head;
    while (this.#changes[0] !== undefined) this.#apply(this.#changes[0]);
    this.#sink.lost({ fromOffset: 0, toOffset: head - 1 });
    this.#host.behind(this);
  }

  close(): void {
    this.#closed = true;
    this.#leaveCohort();
    this.#changes = [];
  }

  #writePage(): void {
    const page = this.#host.log.read(this.#cursor);
    if (page.lost !== undefined) {
      this.#drops += 1;
      this.#sink.lost(page.lost);
      if (this.#drops >= MAX_DROPS) return this.#giveUp("events were lost again and again: read faster");
    }
    const start = page.nextOffset - page.entries.length;
    for (const change of this.#changes.filter(({ at }) => at <= start)) this.#apply(change);
    // A page ends where the next selection begins.
    const until = Math.min(page.nextOffset, this.#changes[0]?.at ?? page.nextOffset);
    this.#cursor = until;
    const selection = this.#selection;
    const wanted = page.entries.filter(
      ({ event }) => event.offset < until && (selection?.takes(event) ?? false),
    );
    if (wanted.length === 0) return;
    const kept = coalesced(wanted);
    this.#sink.write(new Batch(kept, this.#host.slab));
    this.#host.delivered(kept.length);
  }

  #apply(change: Change): void {
    this.#selection = change.selection;
    this.#changes.shift();
  }

  #joinCohort(): void {
    while (this.#changes[0] !== undefined) this.#apply(this.#changes[0]);
    const selection = this.#selection;
    if (selection === undefined || (!selection.all && selection.topics.size === 0)) {
      // Nothing is wanted: whatever is asked for next begins at its own time.
      this.#selection = undefined;
      return;
    }
    const cohort = this.#host.cohortOf(selection);
    // What the others still wait for, this one has.
    cohort.flush();
    cohort.members.add(this);
    this.#cohort = cohort;
  }

  #leaveCohort(): void {
    if (this.#cohort === undefined) return;
    this.#cursor = this.#cohort.cursor;
    this.#host.leave(this.#cohort, this);
    this.#cohort = undefined;
  }

  #watchStall(buffered: number): void {
    const now = this.#host.monotonicMs();
    if (this.#stalledSince === undefined || buffered < this.#lastBuffered) this.#stalledSince = now;
    this.#lastBuffered = buffered;
    if (now - this.#stalledSince >= STALL_MS) this.#giveUp("nothing was read for too long");
  }

  #giveUp(reason: string): void {
    this.close();
    this.#sink.giveUp(reason);
  }
}

function nothing(like: Selection): Selection {
  return { ...like, key: "", topics: new Set(), all: false, takes: () => false };
}
