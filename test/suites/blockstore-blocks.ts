import { createHash } from "node:crypto";
import { CID } from "multiformats/cid";
import { create } from "multiformats/hashes/digest";

const RAW = 0x55;

/** A block and its CID. */
export interface TestBlock {
  readonly cid: CID;
  readonly bytes: Uint8Array;
}

/** The block of some content. */
export function block(
  content: Uint8Array | string,
  { codec = RAW, hash = "sha256", code = 0x12 } = {},
): TestBlock {
  const bytes = Buffer.from(content);
  return { cid: CID.createV1(codec, create(code, createHash(hash).update(bytes).digest())), bytes };
}

/** Block number `seed`, of up to 60 kB: the same in every process. */
export function blockOfSeed(seed: number): TestBlock {
  const start = createHash("sha256").update(`block ${seed}`).digest();
  return block(Buffer.alloc(1 + ((seed * 7919) % 60_000), start));
}

/** File number `seed`, of up to 900 kB: the same in every process. */
export function fileOfSeed(seed: number): Buffer {
  const start = createHash("sha256").update(`file ${seed}`).digest();
  return Buffer.alloc(1 + ((seed * 104_729) % 900_000), start);
}
