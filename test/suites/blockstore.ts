import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { CID } from "multiformats/cid";
import { create } from "multiformats/hashes/digest";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Blockstore } from "../../src/content/blockstore/blockstore.ts";
import { MAX_BLOCK_BYTES } from "../../src/content/limits.ts";
import { block } from "./blockstore-blocks.ts";

/** One way of keeping blocks, as the contract sees it. */
export interface BlockstoreSubject {
  /** A new store on the same place; called again after a close it opens what was left. */
  make(): Blockstore;
  /** Flips a bit of a block where it is kept. Asked of stores on a disk only. */
  damage(cid: CID): void;
}

/** Whether blocks outlive the store object, and where they are. */
export type BlockstoreKind = "disk" | "memory";

const RAW = 0x55;
const DAG_PB = 0x70;

/** What every block store does. */
export function blockstoreSuite(
  name: string,
  kind: BlockstoreKind,
  subject: () => Promise<BlockstoreSubject>,
): void {
  describe(`${name} keeps the contract of a block store`, () => {
    let place: BlockstoreSubject;
    let store: Blockstore;
    beforeEach(async () => {
      place = await subject();
      store = place.make();
      await store.open();
    });
    afterEach(() => store.close());

    const putAll = (blocks: readonly { cid: CID; bytes: Uint8Array }[]): Promise<unknown> =>
      Promise.all(blocks.map(({ cid, bytes }) => store.put(cid, bytes)));
    const reopen = async (): Promise<void> => {
      await store.close();
      store = place.make();
      await store.open();
    };

    test("gives back what was put, whatever the size", async () => {
      const blocks = [0, 1, 127, 128, 65_536, 262_144, MAX_BLOCK_BYTES].map(size => block(randomBytes(size)));
      await putAll(blocks);
      for (const { cid, bytes } of blocks) {
        expect(await store.has(cid)).toBe(true);
        expect(Buffer.compare((await store.get(cid)) ?? Buffer.from("?"), bytes)).toBe(0);
      }
      expect(await store.usage()).toEqual({
        blocks: blocks.length,
        bytes: blocks.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
      });
    });

    test("a block that was never put is not there", async () => {
      const { cid } = block("never");
      expect(await store.has(cid)).toBe(false);
      expect(await store.get(cid)).toBeUndefined();
      expect(await store.delete(cid)).toBe(false);
      expect(await store.touch(cid)).toBe(false);
    });

    test("finds a block under every CID of its multihash", async () => {
      const { cid, bytes } = block("same", { codec: DAG_PB });
      await store.put(cid, bytes);
      for (const same of [cid.toV0(), CID.createV1(RAW, cid.multihash), CID.createV1(0x71, cid.multihash)]) {
        expect(Buffer.from((await store.get(same)) ?? []).toString()).toBe("same");
      }
      await store.put(cid.toV0(), bytes);
      expect((await store.usage()).blocks).toBe(1);
    });

    test("takes every hash, and does not take the hash of a multihash for a block of its own", async () => {
      const long = block("long", { hash: "sha512", code: 0x13 });
      // A block whose sha2-256 is what a store may shorten the long multihash to.
      const trap = block(long.cid.multihash.bytes);
      await putAll([long, block("blake", { hash: "blake2s256", code: 0xb260 }), trap]);
      if (kind === "disk") await reopen();
      expect(Buffer.from((await store.get(long.cid)) ?? []).toString()).toBe("long");
      expect(Buffer.compare((await store.get(trap.cid)) ?? Buffer.alloc(0), trap.bytes)).toBe(0);
      await store.delete(trap.cid);
      expect(await store.has(long.cid)).toBe(true);
    });

    test("an identity CID is its own block and is never stored", async () => {
      const cid = CID.createV1(RAW, create(0, Buffer.from("inline")));
      expect(await store.has(cid)).toBe(true);
      expect(Buffer.from((await store.get(cid)) ?? []).toString()).toBe("inline");
      await store.put(cid, Buffer.from("inline"));
      expect((await store.usage()).blocks).toBe(0);
    });

    test("a block above the limit is refused", async () => {
      const { cid, bytes } = block(Buffer.alloc(MAX_BLOCK_BYTES + 1));
      await expect(store.put(cid, bytes)).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
      expect(await store.has(cid)).toBe(false);
    });

    test("the same block put many times at once is kept once", async () => {
      const { cid, bytes } = block(randomBytes(1000));
      await putAll(Array.from({ length: 50 }, () => ({ cid, bytes })));
      expect(await store.usage()).toEqual({ blocks: 1, bytes: 1000 });
    });

    test("a block that was deleted is gone, and can be put again", async () => {
      const { cid, bytes } = block("again");
      await store.put(cid, bytes);
      expect(await store.delete(cid)).toBe(true);
      expect(await store.get(cid)).toBeUndefined();
      await store.put(cid, bytes);
      expect(Buffer.from((await store.get(cid)) ?? []).toString()).toBe("again");
    });

    test("a sweep takes what is not kept, and nothing else", async () => {
      const kept = Array.from({ length: 20 }, (_, i) => block(`kept ${i}`));
      const swept = Array.from({ length: 30 }, (_, i) => block(`swept ${i}`));
      await putAll([...kept, ...swept]);
      using since = store.guard();
      const keep = store.newSet();
      for (const { cid } of kept) expect(keep.add(cid)).toBe(true);
      expect(keep.add(kept[0]!.cid)).toBe(false);
      expect(keep.add(block("elsewhere").cid)).toBe(false);
      const late = swept.pop()!;
      const result = await store.sweep(keep, { since, beforeBatch: async () => void keep.add(late.cid) });
      expect(result).toEqual({
        removedBlocks: swept.length,
        freedBytes: swept.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
      });
      await store.compact();
      for (const { cid } of [...kept, late]) expect(await store.get(cid)).toBeDefined();
      for (const { cid } of swept) expect(await store.has(cid)).toBe(false);
    });

    test("a sweep leaves what was put or touched under a guard that was open when it began", async () => {
      const old = block("old");
      const reused = block("reused");
      const touched = block("touched");
      await putAll([old, reused, touched]);
      const add = store.guard();
      const fresh = block("fresh");
      await putAll([fresh, reused]);
      using since = store.guard();
      expect(await store.touch(touched.cid)).toBe(true);
      // The add ends while the sweep is under way: its record is written, but the sweep has read them before.
      add.release();
      const during = block("during");
      await store.put(during.cid, during.bytes);
      expect((await store.sweep(store.newSet(), { since })).removedBlocks).toBe(1);
      expect(await store.has(old.cid)).toBe(false);
      for (const { cid } of [fresh, reused, touched, during]) expect(await store.has(cid)).toBe(true);
      since.release();
      using next = store.guard();
      expect((await store.sweep(store.newSet(), { since: next })).removedBlocks).toBe(4);
    });

    test("an aborted sweep ends with the signal's reason", async () => {
      await putAll([block("a")]);
      using since = store.guard();
      const signal = AbortSignal.abort(new Error("enough"));
      await expect(store.sweep(store.newSet(), { since, signal })).rejects.toThrow("enough");
    });

    test("agrees with a map, whatever is done in whatever order", async () => {
      const pool = Array.from({ length: 12 }, (_, i) => block(`block ${i} `.repeat(i * 50)));
      const index = fc.nat({ max: pool.length - 1 });
      const step = fc.oneof(
        { weight: 4, arbitrary: fc.record({ kind: fc.constant("put" as const), index }) },
        { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), index }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant("sweep" as const), index }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const), index }) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
          for (const { cid } of pool) await store.delete(cid);
          const model = new Set<number>();
          const deletions: [boolean, boolean][] = [];
          for (const { kind: what, index } of steps) {
            const { cid, bytes } = pool[index]!;
            if (what === "put") {
              await store.put(cid, bytes);
              model.add(index);
            } else if (what === "delete") {
              deletions.push([await store.delete(cid), model.delete(index)]);
            } else if (what === "sweep") {
              using since = store.guard();
              const keep = store.newSet();
              keep.add(cid);
              await store.sweep(keep, { since });
              await store.compact();
              for (const i of model) if (i !== index) model.delete(i);
            } else if (kind === "disk") {
              await reopen();
            }
          }
          for (const [told, expected] of deletions) expect(told).toBe(expected);
          for (const [i, { cid, bytes }] of pool.entries()) {
            const got = await store.get(cid);
            expect(got === undefined ? undefined : Buffer.compare(got, bytes)).toBe(
              model.has(i) ? 0 : undefined,
            );
          }
        }),
        { numRuns: 25 },
      );
    });

    if (kind === "memory") return;

    test("what was put and not deleted is there after opening again", async () => {
      const blocks = Array.from({ length: 200 }, (_, i) => block(randomBytes(i * 37)));
      await putAll(blocks);
      const gone = blocks.splice(0, 50);
      for (const { cid } of gone) await store.delete(cid);
      await reopen();
      for (const { cid, bytes } of blocks) {
        expect(Buffer.compare((await store.get(cid)) ?? Buffer.from("?"), bytes)).toBe(0);
      }
      for (const { cid } of gone) expect(await store.has(cid)).toBe(false);
    });

    test("a bit flipped where it is kept is CORRUPT_BLOCK, never output; written anew it is good", async () => {
      const good = block(randomBytes(5000));
      const bad = block(randomBytes(5000));
      await putAll([good, bad]);
      await store.close();
      place.damage(bad.cid);
      store = place.make();
      await store.open();
      await expect(store.get(bad.cid)).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
      await expect(store.get(bad.cid)).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
      expect(await store.get(good.cid)).toBeDefined();
      await store.delete(bad.cid);
      await store.put(bad.cid, bad.bytes);
      expect(Buffer.compare((await store.get(bad.cid)) ?? Buffer.alloc(0), bad.bytes)).toBe(0);
    });

    test("a block written anew is hashed anew", async () => {
      const { cid, bytes } = block(randomBytes(3000));
      await store.put(cid, bytes);
      expect(await store.get(cid)).toBeDefined();
      await store.delete(cid);
      await store.put(cid, bytes);
      place.damage(cid);
      await expect(store.get(cid)).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
    });
  });
}
