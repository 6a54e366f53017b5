/** Shortest history, packets, and what it must cover. A browser asks again for up to about a second. */
const MIN_PACKETS = 1024;
const MAX_PACKETS = 16_384;
export const HISTORY_SECONDS = 2.5;
/** Bytes of a typical video payload, to turn a bitrate into packets. */
const TYPICAL_PAYLOAD_BYTES = 1000;

/** Packets that {@link History} must keep for a stream of that bitrate. */
export function historyPackets(bitrateBps: number | undefined): number {
  const needed = ((bitrateBps ?? 0) / 8 / TYPICAL_PAYLOAD_BYTES) * HISTORY_SECONDS * 2;
  let size = MIN_PACKETS;
  while (size < needed && size < MAX_PACKETS) size *= 2;
  return size;
}

/** What was sent under a sequence number. */
export interface SentPacket {
  readonly payload: Buffer;
  readonly timestamp: number;
  readonly marker: boolean;
}

/** The last packets of a stream, for retransmission. Fixed memory; payloads are shared with the segments. */
export class History {
  readonly #mask: number;
  readonly #payloads: (Buffer | undefined)[];
  readonly #sequences: Int32Array;
  readonly #timestamps: Uint32Array;
  readonly #markers: Uint8Array;
  readonly #resentAt: Float64Array;
  readonly #found: { -readonly [K in keyof SentPacket]: SentPacket[K] } = {
    payload: Buffer.alloc(0),
    timestamp: 0,
    marker: false,
  };

  /** `size` is a power of two. */
  constructor(size: number) {
    this.#mask = size - 1;
    this.#payloads = Array.from({ length: size }, () => undefined);
    this.#sequences = new Int32Array(size).fill(-1);
    this.#timestamps = new Uint32Array(size);
    this.#markers = new Uint8Array(size);
    this.#resentAt = new Float64Array(size);
  }

  add(sequence: number, payload: Buffer, timestamp: number, marker: boolean): void {
    const at = sequence & this.#mask;
    this.#payloads[at] = payload;
    this.#sequences[at] = sequence;
    this.#timestamps[at] = timestamp;
    this.#markers[at] = marker ? 1 : 0;
    this.#resentAt[at] = Number.NEGATIVE_INFINITY;
  }

  /**
   * True when the packet is to be sent again: it is here, and was not sent again less than `withinMs` ago, since a second
   * request within one round trip asks for the same loss.
   */
  claim(sequence: number, nowMs: number, withinMs: number): boolean {
    const at = sequence & this.#mask;
    if (this.#sequences[at] !== sequence || this.#payloads[at] === undefined) return false;
    if (nowMs - (this.#resentAt[at] ?? 0) < withinMs) return false;
    this.#resentAt[at] = nowMs;
    return true;
  }

  /** The packet to send again, when {@link claim} allows it. */
  take(sequence: number, nowMs: number, withinMs: number): SentPacket | undefined {
    return this.claim(sequence, nowMs, withinMs) ? this.get(sequence) : undefined;
  }

  /** What was sent under a number; undefined when it is gone. The object is filled in anew by the next call. */
  get(sequence: number): SentPacket | undefined {
    const at = sequence & this.#mask;
    const payload = this.#payloads[at];
    if (payload === undefined || this.#sequences[at] !== sequence) return undefined;
    const found = this.#found;
    found.payload = payload;
    found.timestamp = this.#timestamps[at] ?? 0;
    found.marker = this.#markers[at] === 1;
    return found;
  }

  /** Lets go of all payloads. */
  clear(): void {
    this.#payloads.fill(undefined);
    this.#sequences.fill(-1);
  }
}
