import { hash } from "node:crypto";
import type { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { MAX_BLOCK_BYTES } from "../limits.ts";
import { IDENTITY } from "./cid.ts";

/** Multihash code of sha2-256. */
export const SHA2_256 = 0x12;

/** Hash functions by multihash code, as node:crypto calls them, with the length of the whole digest. */
const HASHES: Readonly<Record<number, { readonly name: string; readonly length: number }>> = {
  [SHA2_256]: { name: "sha256", length: 32 },
  0x13: { name: "sha512", length: 64 },
  0x20: { name: "sha384", length: 48 },
  0x14: { name: "sha3-512", length: 64 },
  0x16: { name: "sha3-256", length: 32 },
  0xb240: { name: "blake2b512", length: 64 },
  0xb260: { name: "blake2s256", length: 32 },
};

/** What node:crypto calls the hash function of a multihash code; undefined for one that cannot be computed here. */
export function hashName(code: number): string | undefined {
  return HASHES[code]?.name;
}

/** sha2-256 of the bytes. */
export function sha256(bytes: Uint8Array): Buffer {
  return hash("sha256", bytes, "buffer");
}

/** Refuses a CID whose blocks cannot be verified here: an unknown hash, or one cut short. `UNSUPPORTED_DAG`. */
export function checkHash(cid: CID): void {
  const { code, digest } = cid.multihash;
  if (code === IDENTITY) return;
  const known = HASHES[code];
  if (known === undefined) {
    throw new CidcastError("UNSUPPORTED_DAG", `${cid.toString()} uses hash 0x${code.toString(16)}`);
  }
  if (digest.byteLength !== known.length) {
    throw new CidcastError("UNSUPPORTED_DAG", `${cid.toString()} carries a digest that was cut short`);
  }
}

/** True when the bytes are those that the CID names. `UNSUPPORTED_DAG` when that cannot be told. */
export function isBlockOf(cid: CID, bytes: Uint8Array): boolean {
  checkHash(cid);
  const { code, digest } = cid.multihash;
  const known = HASHES[code];
  const actual = known === undefined ? bytes : hash(known.name, bytes, "buffer");
  return Buffer.compare(actual, digest) === 0;
}

/** Throws `CORRUPT_BLOCK` unless the bytes are those that the CID names. */
export function verifyBlock(cid: CID, bytes: Uint8Array): void {
  if (isBlockOf(cid, bytes)) return;
  throw new CidcastError("CORRUPT_BLOCK", `The bytes of ${cid.toString()} do not match it`, {
    details: { cid: cid.toString() },
  });
}

/** Throws `CORRUPT_BLOCK` when a block is larger than any may be. */
export function checkBlockSize(cid: CID, byteLength: number): void {
  if (byteLength <= MAX_BLOCK_BYTES) return;
  throw new CidcastError(
    "CORRUPT_BLOCK",
    `${cid.toString()} is a block of more than ${MAX_BLOCK_BYTES} bytes`,
    {
      details: { cid: cid.toString() },
    },
  );
}
