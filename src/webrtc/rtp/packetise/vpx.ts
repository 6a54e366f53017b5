import { evenParts, MAX_PAYLOAD_BYTES, type PayloadSink } from "./payloads.ts";

/** Start of a VP8 partition. */
const VP8_START = 0x10;
const VP9_INTER = 0x40;
const VP9_BEGIN = 0x08;
const VP9_END = 0x04;

/**
 * VP8 payloads with the shortest descriptor. Picture numbers are left out: payloads are shared by viewers whose numbers
 * would differ. @see https://www.rfc-editor.org/rfc/rfc7741#section-4.2
 */
export function packetiseVp8(frame: Buffer, _isKey: boolean, push: PayloadSink): void {
  cut(frame, push, first => (first ? VP8_START : 0));
}

/** VP9 payloads, one layer, without picture numbers. @see https://www.rfc-editor.org/rfc/rfc9628#section-4.2 */
export function packetiseVp9(frame: Buffer, isKey: boolean, push: PayloadSink): void {
  const inter = isKey ? 0 : VP9_INTER;
  cut(frame, push, (first, last) => inter | (first ? VP9_BEGIN : 0) | (last ? VP9_END : 0));
}

function cut(frame: Buffer, push: PayloadSink, head: (first: boolean, last: boolean) => number): void {
  const { count, size } = evenParts(frame.length, MAX_PAYLOAD_BYTES - 1);
  for (let part = 0; part < count; part++) {
    const from = part * size;
    const to = Math.min(from + size, frame.length);
    const out = Buffer.allocUnsafe(1 + to - from);
    out[0] = head(part === 0, part === count - 1);
    frame.copy(out, 1, from, to);
    push(out);
  }
}
