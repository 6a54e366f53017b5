import type { RtpCodec } from "../types.ts";
import { Av1Droppable, isDroppableH264, isDroppableVp9 } from "./droppable.ts";
import {
  isWorthless,
  NAL_IDR,
  NAL_PPS,
  NAL_SPS,
  nalType,
  parseAvcConfig,
  splitAnnexB,
  splitLengthPrefixed,
} from "./nal.ts";

/** One encoded frame as it goes into a segment: pieces to be written back to back. */
export interface FormattedFrame {
  readonly pieces: readonly Uint8Array[];
  readonly byteLength: number;
  readonly key: boolean;
  /** No other frame depends on it. */
  readonly droppable?: boolean;
}

/** Turns a packet of the file into a frame as RTP packetisers want it; undefined when it is damaged or empty. */
export type FrameFormatter = (data: Uint8Array, key: boolean) => FormattedFrame | undefined;

/** OBU types (AV1 specification 5.3.2 and 6.2.2). */
const OBU_TEMPORAL_DELIMITER = 2;

function whole(data: Uint8Array, key: boolean): FormattedFrame | undefined {
  return data.length === 0 ? undefined : { pieces: [data], byteLength: data.length, key };
}

function collect(
  nals: readonly Uint8Array[],
  { key, droppable }: Pick<FormattedFrame, "key" | "droppable">,
): FormattedFrame | undefined {
  const pieces: Uint8Array[] = [];
  let byteLength = 0;
  for (const nal of nals) {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, nal.length);
    pieces.push(length, nal);
    byteLength += 4 + nal.length;
  }
  return byteLength === 0 ? undefined : { pieces, byteLength, key, droppable };
}

/**
 * H.264 as NAL units after 4-byte lengths, parameter sets in front of keyframes. `description` is the file's
 * AVCDecoderConfigurationRecord; without one the packets are Annex B and bring their parameter sets along.
 */
export function h264Formatter(description: Uint8Array | undefined): FrameFormatter {
  const config = description === undefined ? undefined : parseAvcConfig(description);
  let sets: readonly Uint8Array[] = config === undefined ? [] : [...config.sps, ...config.pps];
  return data => {
    const nals = config === undefined ? splitAnnexB(data) : splitLengthPrefixed(data, config.lengthSize);
    if (nals === undefined) return undefined;
    const useful = nals.filter(nal => !isWorthless(nal));
    const key = useful.some(nal => nalType(nal) === NAL_IDR);
    const own = useful.filter(nal => nalType(nal) === NAL_SPS || nalType(nal) === NAL_PPS);
    if (own.some(nal => nalType(nal) === NAL_SPS) && own.some(nal => nalType(nal) === NAL_PPS)) {
      sets = own.map(nal => nal.slice());
    }
    if (!key) return collect(useful, { key: false, droppable: isDroppableH264(useful) });
    const rest = useful.filter(nal => nalType(nal) !== NAL_SPS && nalType(nal) !== NAL_PPS);
    return collect([...sets, ...rest], { key: true });
  };
}

/** A LEB128 number of at most 8 bytes at `at`; undefined when it is cut short. */
function leb128(
  data: Uint8Array,
  at: number,
): { readonly value: number; readonly bytes: number } | undefined {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const byte = data[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if ((byte & 0x80) === 0) return { value, bytes: i + 1 };
  }
  return undefined;
}

/** AV1 as low-overhead OBUs without temporal delimiters, which RTP must not carry (AV1 RTP payload 5). */
function av1Formatter(): FrameFormatter {
  const droppable = new Av1Droppable();
  return (data, key) => {
    const obus = splitObus(data)?.filter(obu => obu.type !== OBU_TEMPORAL_DELIMITER);
    if (obus === undefined) return undefined;
    const pieces = obus.map(obu => obu.whole);
    const byteLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const canGo = droppable.look(obus) && !key;
    return byteLength === 0 ? undefined : { pieces, byteLength, key, droppable: canGo };
  };
}

interface Obu {
  readonly type: number;
  readonly whole: Uint8Array;
  readonly payload: Uint8Array;
}

/** OBUs of one temporal unit; undefined when their sizes do not add up. */
function splitObus(data: Uint8Array): Obu[] | undefined {
  const obus: Obu[] = [];
  for (let at = 0; at < data.length; ) {
    const header = data[at] ?? 0;
    const sizeAt = at + ((header & 4) === 0 ? 1 : 2);
    let from = sizeAt;
    let end = data.length;
    if ((header & 2) !== 0) {
      const size = leb128(data, sizeAt);
      if (size === undefined || sizeAt + size.bytes + size.value > data.length) return undefined;
      from = sizeAt + size.bytes;
      end = from + size.value;
    }
    obus.push({
      type: (header >> 3) & 0xf,
      whole: data.subarray(at, end),
      payload: data.subarray(from, end),
    });
    at = end;
  }
  return obus;
}

/** VP9 as it is; its header says what depends on a picture. */
const vp9Formatter: FrameFormatter = (data, key) => {
  const frame = whole(data, key);
  return frame && { ...frame, droppable: !key && isDroppableVp9(data) };
};

/** VP8's frame tag says whether it is a keyframe (RFC 6386 9.1). */
export const vp8Formatter: FrameFormatter = data => whole(data, ((data[0] ?? 1) & 1) === 0);

/** The formatter of a codec that leaves the node as it is. */
export function formatterFor(codec: RtpCodec, description: Uint8Array | undefined): FrameFormatter {
  if (codec === "h264") return h264Formatter(description);
  if (codec === "av1") return av1Formatter();
  if (codec === "vp9") return vp9Formatter;
  if (codec === "vp8") return vp8Formatter;
  return whole;
}
