import { CID } from "multiformats/cid";
import { MAX_BLOCK_BYTES } from "../../limits.ts";

/** Header of a CARv1 file without roots. @see https://ipld.io/specs/transport/car/carv1/ */
export const CAR_HEADER = Buffer.from("11a265726f6f7473806776657273696f6e01", "hex");

/** Longest CID accepted in a pack, bytes: a v1 of a 64-byte digest has 71. */
const MAX_CID_BYTES = 128;
/** Longest varint of an entry's length, bytes. */
const MAX_VARINT_BYTES = 5;
/** Bytes that hold every entry's length and CID. */
export const ENTRY_HEAD_BYTES = MAX_VARINT_BYTES + MAX_CID_BYTES;

/** What stands before the block in an entry: the length of CID and block, and the CID. */
export function entryHead(cid: CID, byteLength: number): Buffer {
  const head: number[] = [];
  let rest = cid.bytes.byteLength + byteLength;
  while (rest > 127) {
    head.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  head.push(rest);
  return Buffer.concat([Uint8Array.from(head), cid.bytes]);
}

/** The start of an entry taken apart; undefined when it is not one. */
export function readEntryHead(
  bytes: Uint8Array,
): { readonly cid: CID; readonly headLength: number; readonly blockLength: number } | undefined {
  let length = 0;
  let at = 0;
  for (; ; at++) {
    const byte = bytes[at];
    if (byte === undefined || at >= MAX_VARINT_BYTES) return undefined;
    length += (byte & 127) * 128 ** at;
    if (byte < 128) break;
  }
  at++;
  if (length > MAX_BLOCK_BYTES + MAX_CID_BYTES) return undefined;
  try {
    const [cid, rest] = CID.decodeFirst(bytes.subarray(at, at + MAX_CID_BYTES));
    const cidLength = Math.min(bytes.byteLength - at, MAX_CID_BYTES) - rest.byteLength;
    if (cidLength > length) return undefined;
    return { cid, headLength: at + cidLength, blockLength: length - cidLength };
  } catch {
    // Not a CID: this is where the file was torn, and the caller cuts it off.
    return undefined;
  }
}
