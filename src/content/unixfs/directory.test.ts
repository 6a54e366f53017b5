import { describe, expect, test } from "vitest";
import { MAX_HAMT_DEPTH } from "../limits.ts";
import { entries, lookup, MURMUR3 } from "./index.ts";
import { murmur3 } from "./murmur3.ts";
import { Dags } from "./test-support.ts";
import { encodeShardData } from "./unixfs-data.ts";

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text);

describe("directories", () => {
  test.each([
    ["in one block", 1_000_000, 20],
    ["as shards", 100, 20],
    ["as shards of several levels", 100, 1500],
  ])("%s: every name is listed and found", async (_, shardSplitThresholdBytes, count) => {
    const dags = new Dags();
    const files = Array.from({ length: count }, (_, i) => ({
      path: `file ${i} ${"ü".repeat(i % 30)}`,
      content: bytesOf(`content ${i}`),
    }));
    const root = await dags.import(files, { wrapWithDirectory: true, shardSplitThresholdBytes });
    const listed = await all(entries(dags.nodes, root));
    expect(listed.map(entry => entry.name).sort()).toEqual(files.map(file => file.path).sort());
    for (const { path, content } of files.filter((_, i) => i % 10 === 0)) {
      const cid = await lookup(dags.nodes, root, path);
      expect(Buffer.from((await dags.store.get(cid)) ?? []).toString()).toBe(Buffer.from(content).toString());
    }
    await expect(lookup(dags.nodes, root, "nothing")).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
  });

  test("a file is no directory, with and without raw leaves", async () => {
    const dags = new Dags();
    for (const rawLeaves of [true, false]) {
      const root = await dags.import([{ content: bytesOf("file") }], { rawLeaves });
      await expect(lookup(dags.nodes, root, "a")).rejects.toMatchObject({ code: "NOT_A_DIRECTORY" });
      await expect(entries(dags.nodes, root).next()).rejects.toMatchObject({ code: "NOT_A_DIRECTORY" });
    }
  });
});

describe("shards that lie", () => {
  const shard = (dags: Dags, links: Parameters<Dags["node"]>[1], fanout = 256) =>
    dags.node(encodeShardData(Uint8Array.of(1), MURMUR3, fanout), links);

  test("a shard met twice, which would make a walk endless, is CORRUPT_DAG", async () => {
    const dags = new Dags();
    const leaf = await dags.put(bytesOf("x"));
    let cid = await shard(dags, [{ Name: "00a", Hash: leaf, Tsize: 1 }]);
    for (let level = 0; level < 5; level++) {
      cid = await shard(dags, [
        { Name: "00", Hash: cid, Tsize: 1 },
        { Name: "01", Hash: cid, Tsize: 1 },
      ]);
    }
    await expect(all(entries(dags.nodes, cid))).rejects.toMatchObject({ code: "CORRUPT_DAG" });
  });

  test("more levels than the limit, or than names have hash, are CORRUPT_DAG", async () => {
    const dags = new Dags();
    const leaf = await dags.put(bytesOf("x"));
    let cid = await shard(dags, [{ Name: "00a", Hash: leaf, Tsize: 1 }]);
    for (let level = 0; level < MAX_HAMT_DEPTH; level++) {
      // Every place leads on, so that a name meets as many levels as there are.
      const links = Array.from({ length: 256 }, (_, i) => i.toString(16).toUpperCase().padStart(2, "0"));
      cid = await shard(
        dags,
        links.map(Name => ({ Name, Hash: cid, Tsize: 1 })),
      );
    }
    await expect(all(entries(dags.nodes, cid))).rejects.toMatchObject({ code: "CORRUPT_DAG" });
    await expect(lookup(dags.nodes, cid, "name")).rejects.toMatchObject({ code: "CORRUPT_DAG" });
  });

  test("a width that is no power of two or out of bounds is UNSUPPORTED_DAG", async () => {
    const dags = new Dags();
    for (const fanout of [0, 3, 4, 100, 2048, 2 ** 40]) {
      const cid = await shard(dags, [], fanout);
      await expect(lookup(dags.nodes, cid, "a")).rejects.toMatchObject({ code: "UNSUPPORTED_DAG" });
    }
  });

  test("a name without a place, and a child that is no shard, are CORRUPT_DAG", async () => {
    const dags = new Dags();
    const leaf = await dags.put(bytesOf("x"));
    const short = await shard(dags, [{ Name: "0", Hash: leaf, Tsize: 1 }]);
    await expect(all(entries(dags.nodes, short))).rejects.toMatchObject({ code: "CORRUPT_DAG" });
    const directory = await dags.node(Uint8Array.from([8, 1]), []);
    const odd = await shard(dags, [{ Name: "00", Hash: directory, Tsize: 1 }]);
    await expect(all(entries(dags.nodes, odd))).rejects.toMatchObject({ code: "CORRUPT_DAG" });
  });
});

describe("murmur3", () => {
  // First eight bytes of MurmurHash3_x64_128 with seed 0, as @multiformats/murmur3 3.0 gives them.
  test.each([
    ["", "0000000000000000"],
    ["a", "85555565f6597889"],
    ["file.mp4", "d6ceac5f6af6c358"],
    ["exactly 16 bytes", "f83ee3fc5f0ef982"],
    ["a name that is longer than two blocks of sixteen bytes", "dd1c48d97b74e32a"],
    ["ünïcode", "dd59d9d958dac980"],
  ])("of “%s” is what the reference implementation gives", (text, expected) => {
    expect(Buffer.from(murmur3(bytesOf(text))).toString("hex")).toBe(expected);
  });
});
