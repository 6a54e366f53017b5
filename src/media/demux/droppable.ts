import { nalType } from "./nal.ts";

/** Reads numbers of some bits each, the most significant bit first; beyond the end there are zeros. */
class BitReader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  read(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const byte = this.#data[this.#at >> 3] ?? 0;
      value = value * 2 + ((byte >> (7 - (this.#at & 7))) & 1);
      this.#at++;
    }
    return value;
  }

  flag(): boolean {
    return this.read(1) === 1;
  }
}

/** True for an H.264 picture that no other refers to: nal_ref_idc is 0 (ITU-T H.264 7.4.1). */
export function isDroppableH264(nals: readonly Uint8Array[]): boolean {
  const slices = nals.filter(nal => nalType(nal) >= 1 && nalType(nal) <= 5);
  return slices.length > 0 && slices.every(nal => ((nal[0] ?? 0) & 0x60) === 0);
}

/**
 * True for a VP9 picture that changes no reference and nothing of what the entropy coder has learnt (VP9 bitstream
 * specification 7.2). A superframe counts as none.
 */
export function isDroppableVp9(data: Uint8Array): boolean {
  const bits = new BitReader(data);
  if (bits.read(2) !== 2 || isSuperframe(data)) return false;
  const profile = bits.read(1) + 2 * bits.read(1);
  if (profile === 3) bits.read(1);
  const showsExisting = bits.flag();
  const isKey = bits.read(1) === 0;
  const isShown = bits.flag();
  const isResilient = bits.flag();
  // Hidden pictures are there for others alone.
  if (showsExisting || isKey || !isShown) return false;
  if (!isResilient) bits.read(2);
  if (bits.read(8) !== 0) return false;
  if (isResilient) return true;
  bits.read(12);
  if (!bits.flag() && !bits.flag() && !bits.flag()) bits.read(32);
  if (bits.flag()) bits.read(32);
  bits.read(1);
  if (!bits.flag()) bits.read(2);
  const refreshesContext = bits.flag();
  return !refreshesContext;
}

/** The last byte of a superframe is the mark of its index (VP9 bitstream specification, annex B). */
function isSuperframe(data: Uint8Array): boolean {
  return ((data.at(-1) ?? 0) & 0xe0) === 0xc0;
}

/** What of an AV1 sequence header says how a frame header is read (AV1 specification 5.5). */
interface Av1Sequence {
  readonly reduced: boolean;
  readonly hasFrameTimes: boolean;
  readonly frameTimeBits: number;
  readonly frameIdBits: number;
  /** 2: each frame says itself. */
  readonly screenContentTools: number;
  readonly integerMv: number;
  readonly orderHintBits: number;
}

/** OBU types (AV1 specification 6.2.2). */
const OBU_SEQUENCE_HEADER = 1;
const OBU_FRAME_HEADER = 3;
const OBU_FRAME = 6;
const CHOOSE = 2;
const KEY_FRAME = 0;
const SWITCH_FRAME = 3;

/** Tells AV1 pictures that change no reference; it has to be shown every OBU of a stream, in order. */
export class Av1Droppable {
  #sequence: Av1Sequence | undefined;

  /** True when the picture of these OBUs can be left out. */
  look(obus: readonly { readonly type: number; readonly payload: Uint8Array }[]): boolean {
    let droppable: boolean | undefined;
    for (const { type, payload } of obus) {
      if (type === OBU_SEQUENCE_HEADER) this.#sequence = parseSequence(new BitReader(payload));
      if (type !== OBU_FRAME && type !== OBU_FRAME_HEADER) continue;
      const keeps = this.#sequence === undefined || refreshes(new BitReader(payload), this.#sequence);
      droppable = (droppable ?? true) && !keeps;
    }
    return droppable ?? false;
  }
}

function parseSequence(bits: BitReader): Av1Sequence {
  bits.read(4);
  const reduced = bits.flag();
  let timing = { hasFrameTimes: false, frameTimeBits: 0 };
  if (reduced) bits.read(5);
  else timing = parseOperatingPoints(bits);
  const widthBits = bits.read(4) + 1;
  const heightBits = bits.read(4) + 1;
  bits.read(widthBits + heightBits);
  let frameIdBits = 0;
  if (!reduced && bits.flag()) {
    const delta = bits.read(4) + 2;
    frameIdBits = bits.read(3) + delta + 1;
  }
  bits.read(3);
  const rest = { ...timing, reduced, frameIdBits };
  if (reduced) return { ...rest, screenContentTools: CHOOSE, integerMv: CHOOSE, orderHintBits: 0 };
  bits.read(4);
  const hasOrder = bits.flag();
  if (hasOrder) bits.read(2);
  const screenContentTools = bits.flag() ? CHOOSE : bits.read(1);
  const integerMv = screenContentTools === 0 || bits.flag() ? CHOOSE : bits.read(1);
  return { ...rest, screenContentTools, integerMv, orderHintBits: hasOrder ? bits.read(3) + 1 : 0 };
}

/** Timing and operating points, as far as they say how wide later fields are. */
function parseOperatingPoints(bits: BitReader) {
  let decoderModel: { readonly delayBits: number; readonly timeBits: number } | undefined;
  let isEvenlySpaced = false;
  if (bits.flag()) {
    bits.read(64);
    isEvenlySpaced = bits.flag();
    if (isEvenlySpaced) skipUvlc(bits);
    if (bits.flag()) {
      const delayBits = bits.read(5) + 1;
      bits.read(32 + 5);
      decoderModel = { delayBits, timeBits: bits.read(5) + 1 };
    }
  }
  const hasInitialDelay = bits.flag();
  const points = bits.read(5) + 1;
  for (let i = 0; i < points; i++) {
    bits.read(12);
    if (bits.read(5) > 7) bits.read(1);
    if (decoderModel !== undefined && bits.flag()) bits.read(2 * decoderModel.delayBits + 1);
    if (hasInitialDelay && bits.flag()) bits.read(4);
  }
  const hasFrameTimes = decoderModel !== undefined && !isEvenlySpaced;
  return { hasFrameTimes, frameTimeBits: decoderModel?.timeBits ?? 0 };
}

function skipUvlc(bits: BitReader): void {
  let zeros = 0;
  while (zeros < 32 && !bits.flag()) zeros++;
  if (zeros < 32) bits.read(zeros);
}

/** True when a frame is kept as a reference, or its header does not say (AV1 specification 5.9.2). */
function refreshes(bits: BitReader, sequence: Av1Sequence): boolean {
  if (sequence.reduced || bits.flag()) return true;
  const type = bits.read(2);
  const isShown = bits.flag();
  if (!isShown || type === KEY_FRAME || type === SWITCH_FRAME) return true;
  if (sequence.hasFrameTimes) bits.read(sequence.frameTimeBits);
  const isResilient = bits.flag();
  bits.read(1);
  const { screenContentTools } = sequence;
  const allowsScreenContent = screenContentTools === CHOOSE ? bits.flag() : screenContentTools === 1;
  if (allowsScreenContent && sequence.integerMv === CHOOSE) bits.read(1);
  bits.read(sequence.frameIdBits + 1 + sequence.orderHintBits);
  const isIntraOnly = type === 2;
  if (!isIntraOnly && !isResilient) bits.read(3);
  return bits.read(8) !== 0;
}
