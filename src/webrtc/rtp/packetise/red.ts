/** Head of a block that is carried along, and of the last one. */
const CARRIED_HEAD_BYTES = 4;
const LAST_HEAD_BYTES = 1;
const FOLLOWED = 0x80;
/** What the head has room for: 10 bits of length, 14 of distance in the stream's clock. */
const MAX_CARRIED_BYTES = 1023;
const MAX_DISTANCE = 16_383;
/** Larger payloads leave alone: a packet fits into one datagram of any path. */
const MAX_PAYLOAD_BYTES = 1100;

/**
 * Sound whose packets carry the one before along, so that one that is lost comes with the next. One of these for each stream.
 * @see https://www.rfc-editor.org/rfc/rfc2198
 */
export class Redundancy {
  /** Of packets in this form. */
  readonly payloadType: number;
  readonly #primary: number;
  /** Filled in anew: what it holds has left before the next is made. In memory of its own, as native code needs it. */
  readonly #buffer = Buffer.from(new ArrayBuffer(MAX_PAYLOAD_BYTES));
  #before: Buffer | undefined;
  #beforeTime = 0;

  constructor(init: { readonly payloadType: number; readonly primary: number }) {
    this.payloadType = init.payloadType;
    this.#primary = init.primary;
  }

  /** A payload leaves: the next may carry it along. */
  note(payload: Buffer, timestamp: number): void {
    this.#before = payload;
    this.#beforeTime = timestamp;
  }

  /** `payload` with the one before; undefined where there is none, it is too far away, or both are too large. Good until the next call. */
  wrap(payload: Buffer, timestamp: number): Buffer | undefined {
    const before = this.#before;
    const distance = (timestamp - this.#beforeTime) >>> 0;
    if (before === undefined || distance === 0 || distance > MAX_DISTANCE) return undefined;
    const bytes = CARRIED_HEAD_BYTES + LAST_HEAD_BYTES + before.length + payload.length;
    if (before.length > MAX_CARRIED_BYTES || bytes > MAX_PAYLOAD_BYTES) return undefined;
    const buffer = this.#buffer;
    buffer[0] = FOLLOWED | this.#primary;
    buffer[1] = distance >>> 6;
    buffer[2] = ((distance & 0x3f) << 2) | (before.length >>> 8);
    buffer[3] = before.length;
    buffer[4] = this.#primary;
    before.copy(buffer, CARRIED_HEAD_BYTES + LAST_HEAD_BYTES);
    payload.copy(buffer, CARRIED_HEAD_BYTES + LAST_HEAD_BYTES + before.length);
    return buffer.subarray(0, bytes);
  }
}
