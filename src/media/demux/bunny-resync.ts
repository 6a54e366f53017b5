import type { Input } from "mediabunny";

/** Bytes that mediabunny's search for the next Matroska element leaves unread at the end of what it is given. */
const UNSEARCHED_BYTES = 8;

/** A part of mediabunny 1.61.0 that its types hide. The version is pinned exactly; the tests fail when it is gone. */
interface Slice {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly start: number;
  readonly end: number;
}
type SliceOf = new (bytes: Uint8Array, view: DataView, offset: number, start: number, end: number) => Slice;
type Requested = Slice | null;
interface Reader {
  requestSliceRange(start: number, min: number, max: number): Requested | Promise<Requested>;
}

/**
 * Makes an end of mediabunny's search for the next Matroska element after damage. Left alone, the search never leaves
 * the last 8 bytes of a range where it finds nothing, and finds the damaged element itself anew where its id is whole:
 * both keep the thread for ever. To be called when the format is known, before anything is read of the tracks.
 */
export function boundResync(input: Input): void {
  const reader = (input as unknown as { readonly _reader: Reader })._reader;
  const request = reader.requestSliceRange.bind(reader);
  let damagedAt = -1;
  reader.requestSliceRange = (start, min, max) => {
    // Only the search takes slices of any length; right before, its caller has read the header there.
    if (min > 0) {
      damagedAt = start;
      return request(start, min, max);
    }
    const from = start === damagedAt ? start : -1;
    const slice = request(start, min, max);
    return slice instanceof Promise ? slice.then(got => searched(got, from)) : searched(slice, from);
  };
}

/** What the search may see: nothing where it would make no way, and not the element at `damagedAt`. */
function searched(slice: Requested, damagedAt: number): Requested {
  if (slice === null || slice.end - slice.start <= UNSEARCHED_BYTES) return null;
  if (slice.start !== damagedAt) return slice;
  const { offset, start, end } = slice;
  const bytes = slice.bytes.slice(start - offset, end - offset);
  bytes[0] = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new (slice.constructor as SliceOf)(bytes, view, start, start, end);
}
