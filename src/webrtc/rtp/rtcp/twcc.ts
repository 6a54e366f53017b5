/** Most packets one feedback message may report on: its count field has 16 bits, real ones report on some hundred. */
const MAX_STATUS_COUNT = 8192;
const REFERENCE_UNITS = 256;

/** Called for each packet of a feedback message: `at` is its arrival in units of 250 µs, undefined when it was lost. */
export type OnArrival = (transportSequence: number, at: number | undefined) => void;

const symbols = { small: 1, large: 2 } as const;

/**
 * Walks transport-wide congestion feedback. `body` begins at the base sequence number.
 * @see https://datatracker.ietf.org/doc/html/draft-holmer-rmcat-transport-wide-cc-extensions-01#section-3.1
 */
export function readTransportFeedback(body: Buffer, onArrival: OnArrival): void {
  if (body.length < 8) return;
  const base = body.readUInt16BE(0);
  const count = Math.min(body.readUInt16BE(2), MAX_STATUS_COUNT);
  const status = new Uint8Array(count);
  let at = body.readIntBE(4, 3) * REFERENCE_UNITS;
  let next = readChunks(body, status);
  for (let i = 0; i < count; i++) {
    const sequence = (base + i) & 0xffff;
    if (status[i] === symbols.small && next < body.length) {
      at += body[next] ?? 0;
      next += 1;
      onArrival(sequence, at);
    } else if (status[i] === symbols.large && next + 2 <= body.length) {
      at += body.readInt16BE(next);
      next += 2;
      onArrival(sequence, at);
    } else {
      onArrival(sequence, undefined);
    }
  }
}

/** Fills `status`; returns where the deltas begin. */
function readChunks(body: Buffer, status: Uint8Array): number {
  let next = 8;
  let filled = 0;
  while (filled < status.length && next + 2 <= body.length) {
    const chunk = body.readUInt16BE(next);
    next += 2;
    if ((chunk & 0x8000) === 0) {
      const run = Math.min(chunk & 0x1fff, status.length - filled);
      status.fill((chunk >>> 13) & 3, filled, filled + run);
      filled += run;
      if (run === 0) break;
    } else if ((chunk & 0x4000) === 0) {
      for (let bit = 13; bit >= 0 && filled < status.length; bit--) status[filled++] = (chunk >>> bit) & 1;
    } else {
      for (let bit = 12; bit >= 0 && filled < status.length; bit -= 2) status[filled++] = (chunk >>> bit) & 3;
    }
  }
  return next;
}
