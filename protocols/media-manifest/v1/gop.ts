/** Bytes of a GOP before its table: the number of frames. */
const COUNT_BYTES = 4;
/** Bytes of a table entry: size, time, flags. */
const ENTRY_BYTES = 9;
/** Most frames of one GOP: a minute at 120 pictures a second. */
export const GOP_MAX_FRAMES = 7200;
/** Longest time between a GOP's start and one of its frames, microseconds: what 32 bits hold. */
const MAX_OFFSET_US = 0xffff_ffff;

/** A frame of a GOP. */
export interface GopFrame {
  readonly data: Uint8Array;
  /** Time after the GOP's start, microseconds. */
  readonly offsetUs: number;
  readonly key: boolean;
  /** True when no other frame depends on it. */
  readonly droppable?: boolean | undefined;
}

const FLAG_KEY = 1;
const FLAG_DROPPABLE = 2;

/** Packs the frames of one GOP, at least one, in decode order. Throws `RangeError` when one does not fit the format. */
export function encodeGop(frames: readonly GopFrame[]): Uint8Array {
  if (frames.length === 0 || frames.length > GOP_MAX_FRAMES) {
    throw new RangeError(`A GOP has 1 to ${GOP_MAX_FRAMES} frames, not ${frames.length}`);
  }
  const head = COUNT_BYTES + ENTRY_BYTES * frames.length;
  const out = new Uint8Array(frames.reduce((sum, frame) => sum + frame.data.length, head));
  const view = new DataView(out.buffer);
  view.setUint32(0, frames.length);
  let at = head;
  for (const [i, { data, offsetUs, key, droppable }] of frames.entries()) {
    if (offsetUs < 0 || offsetUs > MAX_OFFSET_US) throw new RangeError(`A frame is ${offsetUs} µs off`);
    const entry = COUNT_BYTES + ENTRY_BYTES * i;
    view.setUint32(entry, data.length);
    view.setUint32(entry + 4, offsetUs);
    view.setUint8(entry + 8, (key ? FLAG_KEY : 0) | (droppable === true ? FLAG_DROPPABLE : 0));
    out.set(data, at);
    at += data.length;
  }
  return out;
}

/** Takes a GOP apart; its frames are views of `bytes`. Undefined when the bytes are not one whole GOP. */
export function decodeGop(bytes: Uint8Array): GopFrame[] | undefined {
  if (bytes.length < COUNT_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0);
  let at = COUNT_BYTES + ENTRY_BYTES * count;
  if (count === 0 || count > GOP_MAX_FRAMES || at > bytes.length) return undefined;
  const frames: GopFrame[] = [];
  for (let i = 0; i < count; i++) {
    const entry = COUNT_BYTES + ENTRY_BYTES * i;
    const size = view.getUint32(entry);
    const flags = view.getUint8(entry + 8);
    if (size === 0 || at + size > bytes.length) return undefined;
    frames.push({
      data: bytes.subarray(at, at + size),
      offsetUs: view.getUint32(entry + 4),
      key: (flags & FLAG_KEY) !== 0,
      ...((flags & FLAG_DROPPABLE) !== 0 && { droppable: true }),
    });
    at += size;
  }
  return at === bytes.length ? frames : undefined;
}
