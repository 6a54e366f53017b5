/** NAL units of H.264 streams: ITU-T H.264 7.3.1 and Annex B, ISO/IEC 14496-15 5.3. */

/** A coded slice of an IDR picture. */
export const NAL_IDR = 5;
export const NAL_SPS = 7;
export const NAL_PPS = 8;
const NAL_AUD = 9;
const NAL_END_OF_SEQUENCE = 10;
const NAL_END_OF_STREAM = 11;
const NAL_FILLER = 12;

/** Type of a NAL unit, 0 for an empty one. */
export function nalType(nal: Uint8Array): number {
  return (nal[0] ?? 0) & 0x1f;
}

/** Units that carry nothing over RTP: delimiters, end marks and filler. */
export function isWorthless(nal: Uint8Array): boolean {
  const type = nalType(nal);
  return (
    nal.length === 0 ||
    type === NAL_AUD ||
    type === NAL_END_OF_SEQUENCE ||
    type === NAL_END_OF_STREAM ||
    type === NAL_FILLER
  );
}

/** NAL units that each follow their length of `lengthSize` bytes; undefined when the lengths do not add up. */
export function splitLengthPrefixed(data: Uint8Array, lengthSize: number): Uint8Array[] | undefined {
  const nals: Uint8Array[] = [];
  let at = 0;
  while (at + lengthSize <= data.length) {
    let length = 0;
    for (let i = 0; i < lengthSize; i++) length = length * 256 + (data[at + i] ?? 0);
    at += lengthSize;
    if (length > data.length - at) return undefined;
    nals.push(data.subarray(at, at + length));
    at += length;
  }
  return at === data.length ? nals : undefined;
}

/** NAL units between Annex B start codes, trailing zero bytes taken off. */
export function splitAnnexB(data: Uint8Array): Uint8Array[] {
  const nals: Uint8Array[] = [];
  let start = -1;
  const end = data.length;
  let at = 0;
  while (at + 2 < end) {
    if ((data[at + 2] ?? 0) > 1) at += 3;
    else if (data[at] === 0 && data[at + 1] === 0 && data[at + 2] === 1) {
      if (start >= 0) nals.push(withoutTrailingZeros(data, start, at));
      at += 3;
      start = at;
    } else at += 1;
  }
  if (start >= 0) nals.push(withoutTrailingZeros(data, start, end));
  return nals;
}

function withoutTrailingZeros(data: Uint8Array, start: number, end: number): Uint8Array {
  let last = end;
  while (last > start && data[last - 1] === 0) last -= 1;
  return data.subarray(start, last);
}

/** What an AVCDecoderConfigurationRecord holds. */
export interface AvcConfig {
  readonly lengthSize: number;
  readonly sps: readonly Uint8Array[];
  readonly pps: readonly Uint8Array[];
}

/** Parses an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1); undefined when it is cut short. */
export function parseAvcConfig(data: Uint8Array): AvcConfig | undefined {
  if (data.length < 7 || data[0] !== 1) return undefined;
  const lengthSize = ((data[4] ?? 0) & 3) + 1;
  let at = 6;
  const read = (count: number): Uint8Array[] | undefined => {
    const sets: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const length = (data[at] ?? 0) * 256 + (data[at + 1] ?? 0);
      if (at + 2 + length > data.length) return undefined;
      sets.push(data.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    return sets;
  };
  const sps = read((data[5] ?? 0) & 0x1f);
  if (sps === undefined || at >= data.length) return undefined;
  const count = data[at] ?? 0;
  at += 1;
  const pps = read(count);
  return pps === undefined ? undefined : { lengthSize, sps, pps };
}
