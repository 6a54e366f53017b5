import fc from "fast-check";
import type { CID } from "multiformats/cid";
import { describe, expect, test } from "vitest";
import { MAX_DAG_DEPTH } from "../limits.ts";
import { Dags, identityCid, SHAPES } from "../unixfs/test-support.ts";
import { Pool } from "./pool.ts";
import { walkDag } from "./walk.ts";

async function walked(dags: Dags, root: CID, signal?: AbortSignal): Promise<CID[]> {
  const seen = dags.store.newSet();
  const cids: CID[] = [];
  await walkDag(root, {
    signal,
    visit: ({ cid }) => {
      const isNew = seen.add(cid);
      if (isNew) cids.push(cid);
      return isNew;
    },
    read: cid => dags.store.get(cid),
  });
  return cids;
}

describe("walkDag", () => {
  test.each(Object.entries(SHAPES))("%s: comes to every block once, parents first", async (_, options) => {
    const dags = new Dags();
    const root = await dags.import([{ content: Buffer.alloc(20_000, "walk these bytes") }], options);
    const cids = await walked(dags, root);
    expect(cids[0]?.toString()).toBe(root.toString());
    expect(cids).toHaveLength((await dags.store.usage()).blocks);
  });

  test("a DAG that would be endless without memory is walked block by block", async () => {
    const dags = new Dags();
    let cid = await dags.put(Buffer.from("x"));
    for (let level = 0; level < 40; level++) {
      cid = await dags.file([
        { cid, size: 1 },
        { cid, size: 1 },
      ]);
    }
    expect(await walked(dags, cid)).toHaveLength(41);
  });

  test("goes through nodes that stand in their CIDs to the blocks below them", async () => {
    const dags = new Dags();
    const leaf = await dags.put(Buffer.from("below"));
    const inner = await dags.file([{ cid: leaf, size: 5 }]);
    const inline = identityCid((await dags.store.get(inner)) ?? Buffer.alloc(0), 0x70);
    await dags.store.delete(inner);
    const root = await dags.file([{ cid: inline, size: 5 }]);
    expect((await walked(dags, root)).map(String)).toEqual([root, leaf].map(String));
  });

  test("deeper than the limit is CORRUPT_DAG", async () => {
    const dags = new Dags();
    let cid = await dags.put(Buffer.from("x"));
    for (let level = 0; level < MAX_DAG_DEPTH; level++) cid = await dags.file([{ cid, size: 1 }]);
    expect(await walked(dags, cid)).toHaveLength(MAX_DAG_DEPTH + 1);
    cid = await dags.file([{ cid, size: 1 }]);
    await expect(walked(dags, cid)).rejects.toMatchObject({ code: "CORRUPT_DAG" });
  });

  test("ends with the signal's reason", async () => {
    const dags = new Dags();
    const root = await dags.file([{ cid: await dags.put(Buffer.from("x")), size: 1 }]);
    await expect(walked(dags, root, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  });
});

describe("Pool", () => {
  test("runs no more at a time than it may, and all of them in the end", async () => {
    let running = 0;
    let most = 0;
    let done = 0;
    const pool = new Pool(3);
    for (let i = 0; i < 20; i++) {
      await pool.start(async () => {
        most = Math.max(most, ++running);
        await new Promise<void>(resolve => setImmediate(resolve));
        running--;
        done++;
      });
    }
    await pool.drain();
    expect({ most, done }).toEqual({ most: 3, done: 20 });
  });

  test("a failure ends it, and nothing is left running", async () => {
    const pool = new Pool(2);
    await pool.start(() => Promise.reject(new Error("broken")));
    await expect(pool.drain()).rejects.toThrow("broken");
    await expect(pool.start(async () => {})).rejects.toThrow("broken");
    await expect(pool.settle()).resolves.toBeUndefined();
  });
});

describe("a directory of blocks in any order", () => {
  test("a walk of any DAG ends, and comes to no block twice", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 30 }), async shape => {
        const dags = new Dags();
        const made: CID[] = [await dags.put(Buffer.from("leaf"))];
        for (const children of shape) {
          const links = children.map(child => ({ cid: made[child % made.length] ?? made[0]!, size: 1 }));
          made.push(await dags.file(links));
        }
        const cids = (await walked(dags, made.at(-1) ?? made[0]!)).map(cid => cid.toString());
        expect(new Set(cids).size).toBe(cids.length);
      }),
      { numRuns: 50 },
    );
  });
});
