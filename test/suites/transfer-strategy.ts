import { CID } from "multiformats/cid";
import { describe, expect, test } from "vitest";
import { MemoryBlocks } from "../../src/p2p/test-support.ts";
import type { TransferStrategy } from "../../src/transfer/index.ts";
import { addBlock, addCbor, addFile, addPb, patternBytes } from "./dag.ts";

/** A strategy and a source it can fetch from. */
export interface StrategyRig<Source> extends AsyncDisposable {
  readonly strategy: TransferStrategy<Source>;
  readonly source: Source;
  /** Blocks of the receiver. */
  readonly here: MemoryBlocks;
  /** Blocks of the source. */
  readonly there: MemoryBlocks;
}

/** What every {@link TransferStrategy} does, whatever carries the blocks. */
export function transferStrategySuite<Source>(name: string, rig: () => Promise<StrategyRig<Source>>): void {
  describe(`${name} as a transfer strategy`, () => {
    test("brings a whole file, each block once, in order of need", async () => {
      await using r = await rig();
      const root = await addFile(r.there, patternBytes(100_000));
      const came: string[] = [];
      const result = await r.strategy.fetch(
        r.source,
        { root },
        { onBlock: cid => void came.push(cid.toString()) },
      );
      expect(result).toMatchObject({ blocks: r.there.blocks.size, missing: [] });
      expect(new Set(came).size).toBe(came.length);
      expect(came[0]).toBe(root.toString());
      expect(contents(r.here)).toEqual(contents(r.there));
      expect(await r.strategy.fetch(r.source, { root })).toEqual({ blocks: 0, bytes: 0, missing: [] });
    });

    test("brings the blocks of a range and no others", async () => {
      await using r = await rig();
      const root = await addFile(r.there, patternBytes(64 * 1024));
      await r.strategy.fetch(r.source, { root, start: 10 * 1024 + 1, end: 12 * 1024 });
      const leaves = [...r.here.blocks.keys()].filter(cid => CID.parse(cid).code === 0x55);
      expect(leaves).toHaveLength(2);
      const path = r.here.blocks.size - leaves.length;
      expect(path).toBe(3);
    });

    test("goes on where an earlier try ended, and fetches nothing twice", async () => {
      await using r = await rig();
      const root = await addFile(r.there, patternBytes(200_000));
      const total = r.there.blocks.size;
      const caller = new AbortController();
      const came: string[] = [];
      const onBlock = (cid: CID): void => {
        came.push(cid.toString());
        if (came.length === Math.floor(total / 2)) caller.abort();
      };
      await expect(
        r.strategy.fetch(r.source, { root }, { signal: caller.signal, onBlock }),
      ).rejects.toMatchObject({ code: "ABORTED" });
      const held = new Set(r.here.blocks.keys());
      expect(held.size).toBeLessThan(total);
      const rest: string[] = [];
      await r.strategy.fetch(r.source, { root }, { onBlock: cid => void rest.push(cid.toString()) });
      expect(rest.filter(cid => held.has(cid))).toEqual([]);
      expect(rest.length + held.size).toBe(total);
      expect(contents(r.here)).toEqual(contents(r.there));
    });

    test("tells what the source lacks, and brings the rest", async () => {
      await using r = await rig();
      const root = await addFile(r.there, patternBytes(20_000));
      const leaves = [...r.there.blocks.keys()].filter(cid => CID.parse(cid).code === 0x55);
      const gone = leaves.slice(3, 5);
      for (const cid of gone) r.there.blocks.delete(cid);
      const result = await r.strategy.fetch(r.source, { root });
      expect(result.missing.map(String).sort()).toEqual(gone.toSorted());
      expect(r.here.blocks.size).toBe(r.there.blocks.size);
      const unknown = await addBlock(new MemoryBlocks(), 0x55, patternBytes(10, 7));
      expect((await r.strategy.fetch(r.source, { root: unknown })).missing.map(String)).toEqual([
        unknown.toString(),
      ]);
    });

    test("refuses bytes that do not match their CID, and keeps what was good before", async () => {
      await using r = await rig();
      const root = await addFile(r.there, patternBytes(20_000));
      const leaves = [...r.there.blocks.keys()].filter(cid => CID.parse(cid).code === 0x55);
      const bad = leaves[10] ?? "";
      const good = r.there.blocks.get(bad) ?? new Uint8Array();
      r.there.blocks.set(bad, patternBytes(good.byteLength, 99));
      await expect(r.strategy.fetch(r.source, { root })).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
      expect(r.here.blocks.has(bad)).toBe(false);
      r.there.blocks.set(bad, good);
      await r.strategy.fetch(r.source, { root });
      expect(contents(r.here)).toEqual(contents(r.there));
    });

    test("brings blocks of every shape: one leaf, an empty file, dag-cbor, nodes that share children", async () => {
      await using r = await rig();
      const leaf = await addFile(r.there, patternBytes(10));
      const empty = await addFile(r.there, new Uint8Array());
      const zeros = await addFile(r.there, new Uint8Array(100_000));
      const shared = await addPb(r.there, [zeros, leaf, zeros, leaf]);
      const cbor = await addCbor(r.there, { title: "x", parts: [leaf, { more: shared }], none: null });
      const other = await addBlock(r.there, 0x0129, patternBytes(50));
      for (const root of [empty, cbor, other]) await r.strategy.fetch(r.source, { root });
      expect(contents(r.here)).toEqual(contents(r.there));
    });

    test("serves many at once from one source", async () => {
      await using r = await rig();
      const roots = await Promise.all(
        [1, 2, 3, 4, 5, 6].map(seed => addFile(r.there, patternBytes(30_000, seed))),
      );
      await Promise.all(roots.map((root, i) => r.strategy.fetch(r.source, { root }, { priority: i * 40 })));
      expect(contents(r.here)).toEqual(contents(r.there));
    });

    test("brings blocks of the largest size", async () => {
      await using r = await rig();
      const root = await addFile(r.there, patternBytes(5 * 1024 * 1024), { chunkBytes: 2 * 1024 * 1024 });
      await r.strategy.fetch(r.source, { root });
      expect(contents(r.here)).toEqual(contents(r.there));
    });

    test("ends by its caller's signal before it began", async () => {
      await using r = await rig();
      const root = await addFile(r.there, patternBytes(10));
      await expect(r.strategy.fetch(r.source, { root }, { signal: AbortSignal.abort() })).rejects.toThrow(
        "abort",
      );
    });
  });
}

/** Blocks by CID, small enough to compare. */
function contents(blocks: MemoryBlocks): Map<string, string> {
  const entries = [...blocks.blocks].map(
    ([cid, bytes]) => [cid, Buffer.from(bytes).toString("latin1")] as const,
  );
  return new Map(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
