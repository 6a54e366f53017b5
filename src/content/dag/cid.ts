import { base16 } from "multiformats/bases/base16";
import { base32 } from "multiformats/bases/base32";
import { base36 } from "multiformats/bases/base36";
import { base58btc } from "multiformats/bases/base58";
import { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { MAX_NAME_BYTES, MAX_PATH_DEPTH, MAX_REF_LENGTH } from "../limits.ts";

/** Codec of a leaf that is bytes and nothing else. */
export const RAW = 0x55;
/** Codec of UnixFS nodes. */
export const DAG_PB = 0x70;
/** Codec of structured data with links. */
export const DAG_CBOR = 0x71;
/** Multihash code of a CID that carries its block itself. */
export const IDENTITY = 0x00;

const decoder = base32.decoder.or(base58btc.decoder).or(base36.decoder).or(base16.decoder);

/** Reads a CID in any usual base. `INVALID_CID` when it is none. */
export function parseCid(text: string): CID {
  if (text.length > MAX_REF_LENGTH) throw new CidcastError("INVALID_CID", "The CID is too long");
  try {
    return CID.parse(text, decoder);
  } catch (cause) {
    throw new CidcastError("INVALID_CID", `“${shorten(text)}” is not a CID`, { cause });
  }
}

/** A reference taken apart. */
export interface ParsedRef {
  readonly cid: CID;
  /** Names from the CID to the target; none for the CID itself. */
  readonly path: readonly string[];
}

/** Reads `bafy…`, `bafy…/dir/file`, `/ipfs/bafy…/dir/file` or `ipfs://bafy…/dir/file`. Names are taken as they stand: nothing is percent-decoded. */
export function parseRef(ref: string): ParsedRef {
  if (ref.length > MAX_REF_LENGTH) {
    throw new CidcastError("INVALID_REQUEST", `The reference is longer than ${MAX_REF_LENGTH} characters`);
  }
  const rest = ref.startsWith("/ipfs/") ? ref.slice(6) : ref.startsWith("ipfs://") ? ref.slice(7) : ref;
  const [first = "", ...names] = rest.split("/");
  const path = names.filter(name => name !== "");
  if (path.length > MAX_PATH_DEPTH) {
    throw new CidcastError("INVALID_REQUEST", `The path has more than ${MAX_PATH_DEPTH} names`);
  }
  for (const name of path) checkName(name);
  return { cid: parseCid(first), path };
}

/** Checks one name of a path. `INVALID_REQUEST` when it cannot be one. */
export function checkName(name: string): void {
  if (name === "" || name === "." || name === "..") {
    throw new CidcastError("INVALID_REQUEST", `“${name}” cannot be a name in a directory`);
  }
  if (name.includes("/") || name.includes("\0")) {
    throw new CidcastError("INVALID_REQUEST", "A name holds neither a slash nor a zero character");
  }
  if (name.length > MAX_NAME_BYTES || Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new CidcastError(
      "INVALID_REQUEST",
      `The name “${shorten(name)}” is longer than ${MAX_NAME_BYTES} bytes`,
    );
  }
}

/** What a block is stored and remembered under: its multihash, one character per byte. CIDv0, v1 and every codec share it. */
export function blockKey(cid: CID): string {
  const { buffer, byteOffset, byteLength } = cid.multihash.bytes;
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

/** Text cut to a length that fits a message. */
export function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
