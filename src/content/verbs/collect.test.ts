import { CID } from "multiformats/cid";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { block } from "../../../test/suites/blockstore-blocks.ts";
import { patternBytes } from "../unixfs/test-support.ts";
import { bytesOf, entriesOf, networkOf, pieces, TestBed } from "./test-support.ts";

let bed: TestBed;
beforeEach(() => {
  bed = new TestBed();
});
afterEach(() => bed[Symbol.asyncDispose]());

describe("collecting", () => {
  const bytesFor = (seed: number): Uint8Array => patternBytes(600_000, seed);

  test("takes what nobody needs, and never what is pinned or held or open", async () => {
    const node = await bed.start();
    const add = (seed: number, pin: string | false = false) =>
      node.content.add(pieces(bytesFor(seed)), { pin });
    const [pinned, held, open, loose] = [await add(1, ""), await add(2), await add(3), await add(4)];
    using _hold = node.content.hold(held.cid);
    await using file = await node.content.open(open.cid);
    const { removedBlocks, freedBytes } = await node.content.gc();
    expect({ removedBlocks, over: freedBytes > 600_000 }).toEqual({ removedBlocks: 4, over: true });
    for (const { cid } of [pinned, held, open]) {
      expect(await node.content.stat(cid)).toMatchObject({ complete: true, localBlocks: 4 });
    }
    expect(await file.read(0, 10)).toHaveLength(10);
    expect(await node.content.record(loose.cid)).toBeUndefined();
    await file.close();
    expect((await node.content.gc()).removedBlocks).toBe(4);
  });

  test("keeps blocks that another pinned file shares, and directories with all below them", async () => {
    const node = await bed.start();
    const shared = patternBytes(262_144);
    const one = await node.content.add(pieces(Buffer.concat([shared, Buffer.from("1")])));
    const two = await node.content.add(pieces(Buffer.concat([shared, Buffer.from("2")])));
    const tree = await node.content.addDirectory(entriesOf({ "a/b/c": "deep", d: "shallow" }));
    await node.content.remove(one.cid);
    await node.content.gc();
    expect(await node.content.stat(two.cid)).toMatchObject({ complete: true });
    expect(await node.content.stat(tree.cid)).toMatchObject({ complete: true });
  });

  test("beside adds, removals and reads, over and over, takes nothing that is needed", async () => {
    const node = await bed.start();
    const kept = new Map<string, number>();
    const adds = { done: false };
    const collecting = (async () => {
      while (!adds.done) await node.content.gc();
    })();
    const adding = Promise.all(
      [0, 1, 2].map(async lane => {
        for (let i = 0; i < 12; i++) {
          const seed = lane * 100 + i;
          const record = await node.content.add(pieces(bytesFor(seed), 100_000));
          kept.set(record.cid, seed);
          // The same content under way again while its pin is taken away.
          if (i % 3 === 0) {
            const [, again] = await Promise.all([
              node.content.remove(record.cid),
              node.content.add(pieces(bytesFor(seed)), { pin: "again" }),
            ]);
            await node.content.pin(again.cid);
          }
        }
      }),
    );
    await adding.finally(() => {
      adds.done = true;
    });
    await collecting;
    const wrong: string[] = [];
    for (const [cid, seed] of kept) {
      const read = await bytesOf(node, cid);
      if (Buffer.compare(read, bytesFor(seed)) !== 0) wrong.push(cid);
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  test("a damaged node on the way of a pin ends it before anything is removed", async () => {
    const node = await bed.start();
    const pinned = await node.content.add(pieces(bytesFor(1)));
    await node.content.add(pieces(bytesFor(2)), { pin: false });
    await node.close();
    bed.damage(CID.parse(pinned.cid));
    const again = await bed.start();
    const before = await again.content.usage();
    await expect(again.content.gc()).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
    expect(await again.content.usage()).toEqual(before);
  });
});

describe("damage", () => {
  test("a bit flipped on the disk is CORRUPT_BLOCK, and not a byte of the block comes out", async () => {
    const node = await bed.start();
    const source = patternBytes(600_000);
    const { cid } = await node.content.add(pieces(source));
    await node.close();
    bed.damage(block(source.subarray(262_144, 524_288)).cid);
    const again = await bed.start();
    const got: Uint8Array[] = [];
    const reading = (async () => {
      for await (const part of again.content.cat(cid)) got.push(part);
    })();
    await expect(reading).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
    expect(Buffer.concat(got)).toHaveLength(262_144);
  });

  test("with a network, the block is fetched again and repaired", async () => {
    const other = await bed.startOther();
    const node = await bed.start();
    const source = patternBytes(600_000);
    const { cid } = await node.content.add(pieces(source));
    await other.content.add(pieces(source));
    await node.close();
    bed.damage(block(source.subarray(262_144, 524_288)).cid);
    const { network, asked } = networkOf(other);
    const again = await bed.start({}, { network });
    expect(Buffer.compare(await bytesOf(again, cid), source)).toBe(0);
    expect(asked).toHaveLength(1);
    await again.close();
    const offline = await bed.start();
    expect(Buffer.compare(await bytesOf(offline, cid), source)).toBe(0);
  });
});
