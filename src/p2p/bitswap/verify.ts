import { createHash, timingSafeEqual } from "node:crypto";
import type { CID } from "multiformats/cid";

/** Hash functions of the blocks taken from peers, by multihash code, as node:crypto calls them. */
const HASHES: Readonly<Record<number, string>> = { 0x12: "sha256", 0x13: "sha512" };

/** True when blocks of this CID can be verified here. */
export function isVerifiable(cid: CID): boolean {
  return HASHES[cid.multihash.code] !== undefined;
}

/** True when the bytes are those that the CID names. */
export function isBlockOf(cid: CID, bytes: Uint8Array): boolean {
  const algorithm = HASHES[cid.multihash.code];
  if (algorithm === undefined) return false;
  const digest = createHash(algorithm).update(bytes).digest();
  return (
    digest.byteLength === cid.multihash.digest.byteLength && timingSafeEqual(digest, cid.multihash.digest)
  );
}
