import type { LogEvent } from "../types.ts";

/** An event with the size it counts for and, once somebody needed it, its frame. */
export interface RingEntry {
  readonly event: LogEvent;
  readonly bytes: number;
  frame?: Buffer;
}

export interface RingInit {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** Offset of the first event that will be pushed. */
  readonly nextOffset: number;
}

/** The last events of a log, bounded in number and bytes. Offsets have no gaps, so places are computed, not searched. */
export class Ring {
  readonly #slots: (RingEntry | undefined)[];
  readonly #maxBytes: number;
  #first: number;
  #next: number;
  #bytes = 0;

  constructor(init: RingInit) {
    this.#slots = Array.from({ length: init.maxEvents });
    this.#maxBytes = init.maxBytes;
    this.#first = init.nextOffset;
    this.#next = init.nextOffset;
  }

  /** Offset of the oldest event held; equal to {@link nextOffset} when there is none. */
  get firstOffset(): number {
    return this.#first;
  }

  get nextOffset(): number {
    return this.#next;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the event with the offset {@link nextOffset}; the oldest go when there is no room. */
  push(entry: RingEntry): void {
    if (entry.event.offset !== this.#next)
      throw new RangeError(`offset ${entry.event.offset} is out of order`);
    if (this.#next - this.#first === this.#slots.length) this.#shift();
    this.#slots[this.#next % this.#slots.length] = entry;
    this.#next += 1;
    this.#bytes += entry.bytes;
    while (this.#bytes > this.#maxBytes && this.#next - this.#first > 1) this.#shift();
  }

  at(offset: number): RingEntry | undefined {
    return offset >= this.#first && offset < this.#next
      ? this.#slots[offset % this.#slots.length]
      : undefined;
  }

  #shift(): void {
    const place = this.#first % this.#slots.length;
    this.#bytes -= this.#slots[place]?.bytes ?? 0;
    this.#slots[place] = undefined;
    this.#first += 1;
  }
}
