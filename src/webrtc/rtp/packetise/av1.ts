import { corruptFrame, evenParts, MAX_PAYLOAD_BYTES, type PayloadSink } from "./payloads.ts";

const TEMPORAL_DELIMITER = 2;
const TILE_LIST = 8;
const PADDING = 15;
const HAS_SIZE = 0x02;
const HAS_EXTENSION = 0x04;
const CONTINUES = 0x80;
const TO_BE_CONTINUED = 0x40;
const NEW_SEQUENCE = 0x08;
/** Aggregation header, and the length before each element (two bytes: elements are shorter than 16 KiB). */
const HEADER_BYTES = 1;
const LENGTH_BYTES = 2;

/**
 * AV1 payloads: OBUs without their size fields, each after its length (W = 0), cut where a packet is full.
 * @see https://aomediacodec.github.io/av1-rtp-spec/#44-av1-aggregation-header
 */
export function packetiseAv1(frame: Buffer, isKey: boolean, push: PayloadSink): void {
  const obus = [...elements(frame)];
  const total = obus.reduce((sum, obu) => sum + obu.length + LENGTH_BYTES, 0);
  // Room for one more length: an element cut in two has a length on each side.
  const { size } = evenParts(total, MAX_PAYLOAD_BYTES - HEADER_BYTES - LENGTH_BYTES);
  const capacity = HEADER_BYTES + LENGTH_BYTES + size;
  let parts: Buffer[] = [];
  let used = HEADER_BYTES;
  let flags = isKey ? NEW_SEQUENCE : 0;
  const flush = (more: boolean): void => {
    if (parts.length === 0) return;
    push(Buffer.concat([Buffer.of(flags | (more ? TO_BE_CONTINUED : 0)), ...parts]));
    parts = [];
    used = HEADER_BYTES;
    flags = more ? CONTINUES : 0;
  };
  for (const obu of obus) {
    let from = 0;
    while (from < obu.length) {
      if (used + LENGTH_BYTES >= capacity) flush(from > 0);
      const to = Math.min(obu.length, from + capacity - used - LENGTH_BYTES);
      parts.push(length(to - from), obu.subarray(from, to));
      used += LENGTH_BYTES + to - from;
      from = to;
    }
  }
  flush(false);
}

/** LEB128 in two bytes whatever the value, so that sizes can be planned. */
function length(value: number): Buffer {
  return Buffer.of((value & 0x7f) | 0x80, value >>> 7);
}

function* elements(frame: Buffer): Generator<Buffer> {
  let at = 0;
  while (at < frame.length) {
    const head = frame[at] ?? 0;
    const headBytes = head & HAS_EXTENSION ? 2 : 1;
    const { value, bytes } =
      head & HAS_SIZE ? leb128(frame, at + headBytes) : { value: frame.length - at - headBytes, bytes: 0 };
    const from = at + headBytes + bytes;
    if (value < 0 || from + value > frame.length)
      throw corruptFrame("AV1", `an OBU of ${value} bytes is cut off`);
    const type = (head >>> 3) & 15;
    if (type !== TEMPORAL_DELIMITER && type !== TILE_LIST && type !== PADDING) {
      const obu = Buffer.allocUnsafe(headBytes + value);
      obu[0] = head & ~HAS_SIZE;
      if (headBytes === 2) obu[1] = frame[at + 1] ?? 0;
      frame.copy(obu, headBytes, from, from + value);
      yield obu;
    }
    at = from + value;
  }
}

function leb128(data: Buffer, from: number): { readonly value: number; readonly bytes: number } {
  let value = 0;
  for (let bytes = 0; bytes < 4; bytes++) {
    const byte = data[from + bytes];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * bytes);
    if (byte < 0x80) return { value, bytes: bytes + 1 };
  }
  throw corruptFrame("AV1", "an OBU's size cannot be read");
}
