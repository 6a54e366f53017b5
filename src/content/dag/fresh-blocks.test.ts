import { CID } from "multiformats/cid";
import { create } from "multiformats/hashes/digest";
import { describe, expect, test } from "vitest";
import { FRESH_BLOCKS_BYTES } from "../limits.ts";
import { FreshBlocks } from "./fresh-blocks.ts";
import { RAW } from "./cid.ts";
import { sha256 } from "./hash.ts";

const cidOf = (n: number): CID => CID.createV1(RAW, create(0x12, sha256(Buffer.from([n]))));

describe("blocks that have just come", () => {
  test("are kept only while somebody follows, and handed over once", () => {
    const fresh = new FreshBlocks();
    const bytes = Buffer.alloc(10, 1);
    fresh.keep(cidOf(1), bytes);
    expect(fresh.take(cidOf(1))).toBeUndefined();
    fresh.follow();
    fresh.keep(cidOf(1), bytes);
    fresh.keep(cidOf(1), bytes);
    expect(fresh.bytes).toBe(10);
    expect(fresh.take(cidOf(1))).toBe(bytes);
    expect(fresh.take(cidOf(1))).toBeUndefined();
    expect(fresh.bytes).toBe(0);
  });

  test("are a bounded number of bytes, the oldest go first", () => {
    const fresh = new FreshBlocks();
    fresh.follow();
    const piece = Buffer.alloc(FRESH_BLOCKS_BYTES / 4);
    for (let n = 0; n < 6; n++) fresh.keep(cidOf(n), piece);
    fresh.keep(cidOf(9), Buffer.alloc(FRESH_BLOCKS_BYTES + 1));
    expect(fresh.bytes).toBe(FRESH_BLOCKS_BYTES);
    expect([0, 1, 2, 3, 4, 5, 9].filter(n => fresh.take(cidOf(n)) !== undefined)).toEqual([2, 3, 4, 5]);
  });
});
