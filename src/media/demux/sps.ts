/** The part of a sequence parameter set that decides whether a browser can take the stream (ITU-T H.264 7.3.2.1.1, E.1.1). */
export interface Sps {
  readonly profileIdc: number;
  /** 1 is 4:2:0, what browsers decode. */
  readonly chromaFormatIdc: number;
  readonly bitDepth: number;
  /** False: fields or mixed frames, so possibly interlaced. */
  readonly framesOnly: boolean;
  /** Frames that may come before an earlier one in output order; undefined where the stream does not say. */
  readonly maxReorderFrames: number | undefined;
}

/** Profiles whose SPS carries chroma format and bit depth. */
const HIGH_PROFILES: ReadonlySet<number> = new Set([
  100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135,
]);

const PROFILE_BASELINE = 66;
/** `aspect_ratio_idc` that is followed by a ratio of its own. */
const EXTENDED_SAR = 255;

/** Reads bits of a NAL unit's payload, emulation prevention bytes removed. Past the end it reads zeros and says so. */
class BitReader {
  readonly #bytes: Uint8Array;
  #bit = 0;

  constructor(nal: Uint8Array) {
    const out: number[] = [];
    for (let i = 1; i < nal.length; i++) {
      const prevention = nal[i] === 3 && nal[i - 1] === 0 && nal[i - 2] === 0;
      if (!prevention) out.push(nal[i] ?? 0);
    }
    this.#bytes = Uint8Array.from(out);
  }

  get overrun(): boolean {
    return this.#bit > this.#bytes.length * 8;
  }

  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#bit++) {
      value = value * 2 + (((this.#bytes[this.#bit >> 3] ?? 0) >> (7 - (this.#bit & 7))) & 1);
    }
    return value;
  }

  flag(): boolean {
    return this.bits(1) === 1;
  }

  /** Unsigned Exp-Golomb code. */
  ue(): number {
    let zeros = 0;
    while (!this.flag()) {
      zeros += 1;
      if (zeros > 31 || this.overrun) return 0;
    }
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** Signed Exp-Golomb code. */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}

/** Parses an SPS NAL unit; undefined when it is cut short. */
export function parseSps(nal: Uint8Array): Sps | undefined {
  const reader = new BitReader(nal);
  const profileIdc = reader.bits(8);
  reader.bits(16);
  reader.ue();
  let chromaFormatIdc = 1;
  let bitDepth = 8;
  if (HIGH_PROFILES.has(profileIdc)) {
    chromaFormatIdc = reader.ue();
    if (chromaFormatIdc === 3) reader.flag();
    bitDepth = 8 + Math.max(reader.ue(), reader.ue());
    reader.flag();
    if (reader.flag()) skipScalingLists(reader, chromaFormatIdc === 3 ? 12 : 8);
  }
  reader.ue();
  const pocType = reader.ue();
  if (pocType === 0) reader.ue();
  else if (pocType === 1) skipPocCycle(reader);
  reader.ue();
  reader.flag();
  reader.ue();
  reader.ue();
  const framesOnly = reader.flag();
  if (!framesOnly) reader.flag();
  reader.flag();
  if (reader.flag()) for (let i = 0; i < 4; i++) reader.ue();
  const declared = reader.flag() ? readVuiReorder(reader) : undefined;
  if (reader.overrun) return undefined;
  // Picture order count type 2 and the Baseline profile leave no way to reorder (8.2.1.3, A.2.1).
  const maxReorderFrames = pocType === 2 || profileIdc === PROFILE_BASELINE ? 0 : declared;
  return { profileIdc, chromaFormatIdc, bitDepth, framesOnly, maxReorderFrames };
}

function skipScalingLists(reader: BitReader, lists: number): void {
  for (let list = 0; list < lists; list++) {
    if (!reader.flag()) continue;
    let last = 8;
    let next = 8;
    for (let i = 0; i < (list < 6 ? 16 : 64) && !reader.overrun; i++) {
      if (next !== 0) next = (last + reader.se() + 256) % 256;
      if (next !== 0) last = next;
    }
  }
}

function skipPocCycle(reader: BitReader): void {
  reader.flag();
  reader.se();
  reader.se();
  const cycle = reader.ue();
  for (let i = 0; i < cycle && !reader.overrun; i++) reader.se();
}

function skipHrd(reader: BitReader): void {
  const count = reader.ue() + 1;
  reader.bits(8);
  for (let i = 0; i < count && !reader.overrun; i++) {
    reader.ue();
    reader.ue();
    reader.flag();
  }
  reader.bits(20);
}

/** `max_num_reorder_frames` of the VUI, where there is a bitstream restriction. */
function readVuiReorder(reader: BitReader): number | undefined {
  if (reader.flag() && reader.bits(8) === EXTENDED_SAR) reader.bits(32);
  if (reader.flag()) reader.flag();
  if (reader.flag()) {
    reader.bits(4);
    if (reader.flag()) reader.bits(24);
  }
  if (reader.flag()) {
    reader.ue();
    reader.ue();
  }
  if (reader.flag()) reader.bits(65);
  const nalHrd = reader.flag();
  if (nalHrd) skipHrd(reader);
  const vclHrd = reader.flag();
  if (vclHrd) skipHrd(reader);
  if (nalHrd || vclHrd) reader.flag();
  reader.flag();
  if (!reader.flag()) return undefined;
  reader.flag();
  for (let i = 0; i < 4; i++) reader.ue();
  return reader.ue();
}
