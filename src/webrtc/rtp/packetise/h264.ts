import { corruptFrame, evenParts, MAX_PAYLOAD_BYTES, type PayloadSink } from "./payloads.ts";

const LENGTH_BYTES = 4;
const TYPE_MASK = 0x1f;
const AUD = 9;
const FILLER = 12;
const STAP_A = 24;
const FU_A = 28;

/**
 * H.264 payloads: NAL units that fit together as STAP-A, one that fits alone as itself, larger ones as FU-A cut into equal
 * parts. `frame` holds NAL units after their 4-byte lengths. @see https://www.rfc-editor.org/rfc/rfc6184#section-5.6
 */
export function packetiseH264(frame: Buffer, _isKey: boolean, push: PayloadSink): void {
  let small: Buffer[] = [];
  let smallBytes = 1;
  const flush = (): void => {
    const [only] = small;
    if (small.length === 1 && only !== undefined) push(only);
    else if (small.length > 1) push(aggregate(small, smallBytes));
    small = [];
    smallBytes = 1;
  };
  for (const nal of nalUnits(frame)) {
    if (nal.length > MAX_PAYLOAD_BYTES) {
      flush();
      fragment(nal, push);
      continue;
    }
    if (smallBytes + 2 + nal.length > MAX_PAYLOAD_BYTES) flush();
    small.push(nal);
    smallBytes += 2 + nal.length;
  }
  flush();
}

function* nalUnits(frame: Buffer): Generator<Buffer> {
  let at = 0;
  while (at < frame.length) {
    if (at + LENGTH_BYTES > frame.length) throw corruptFrame("H.264", "a NAL unit's length is cut off");
    const length = frame.readUInt32BE(at);
    at += LENGTH_BYTES;
    if (length === 0 || at + length > frame.length) {
      throw corruptFrame("H.264", `a NAL unit of ${length} bytes in ${frame.length - at}`);
    }
    const nal = frame.subarray(at, at + length);
    at += length;
    const type = (nal[0] ?? 0) & TYPE_MASK;
    if (type !== AUD && type !== FILLER) yield nal;
  }
}

function aggregate(nals: readonly Buffer[], bytes: number): Buffer {
  const out = Buffer.allocUnsafe(bytes);
  // RFC 6184 5.7: the aggregate has the highest NRI of what it holds, and F when one of them has it.
  let nri = 0;
  let forbidden = 0;
  let at = 1;
  for (const nal of nals) {
    const head = nal[0] ?? 0;
    nri = Math.max(nri, head & 0x60);
    forbidden |= head & 0x80;
    at = out.writeUInt16BE(nal.length, at);
    at += nal.copy(out, at);
  }
  out[0] = forbidden | nri | STAP_A;
  return out;
}

function fragment(nal: Buffer, push: PayloadSink): void {
  const head = nal[0] ?? 0;
  const { count, size } = evenParts(nal.length - 1, MAX_PAYLOAD_BYTES - 2);
  for (let part = 0; part < count; part++) {
    const from = 1 + part * size;
    const to = Math.min(from + size, nal.length);
    const out = Buffer.allocUnsafe(2 + to - from);
    out[0] = (head & 0xe0) | FU_A;
    out[1] = (head & TYPE_MASK) | (part === 0 ? 0x80 : 0) | (part === count - 1 ? 0x40 : 0);
    nal.copy(out, 2, from, to);
    push(out);
  }
}
