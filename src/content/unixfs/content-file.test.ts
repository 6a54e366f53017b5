import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FILE_CACHE_BLOCKS, MAX_READ_BYTES } from "../limits.ts";
import { Holds } from "../verbs/holds.ts";
import { NodeCache, UnixFsFile } from "./index.ts";
import { Dags, patternBytes, SHAPES } from "./test-support.ts";

async function opened(size: number, shape = "small chunks, three links per node") {
  const dags = new Dags();
  const source = patternBytes(size);
  const root = await dags.import([{ content: source }], SHAPES[shape] ?? {});
  const holds = new Holds();
  const state = { reads: 0, block: dags.blocks.block.bind(dags.blocks) };
  const nodes = new NodeCache({
    block: (cid, options) => {
      state.reads++;
      return state.block(cid, options);
    },
  });
  const file = await UnixFsFile.open(root, nodes, holds.hold(root), {});
  return { file, source, holds, state, dags, root };
}

describe("an open file", () => {
  test.each(Object.keys(SHAPES))("%s: any reads, in any order, give what was written", async shape => {
    const { file, source } = await opened(20_000, shape);
    expect(file.size).toBe(20_000);
    const range = fc.tuple(fc.nat(20_000), fc.nat(20_000)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
    await fc.assert(
      fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 10 }), async ranges => {
        const reads = await Promise.all(ranges.map(([start = 0, end = 0]) => file.read(start, end)));
        return reads.every((bytes, i) => {
          const [start, end] = ranges[i] ?? [];
          return Buffer.compare(bytes, source.subarray(start, end)) === 0;
        });
      }),
      { numRuns: 20 },
    );
  });

  test("small reads near each other cost no walk", async () => {
    const { file, source, state } = await opened(10_000);
    await file.read(5000, 5010);
    const before = state.reads;
    for (let at = 5010; at < 6000; at += 10) {
      expect(Buffer.compare(await file.read(at, at + 10), source.subarray(at, at + 10))).toBe(0);
    }
    expect(state.reads).toBe(before);
  });

  test("keeps no more than its few last leaves", async () => {
    const { file, state } = await opened(10_000);
    for (let leaf = 0; leaf <= FILE_CACHE_BLOCKS; leaf++) await file.read(leaf * 1000, leaf * 1000 + 1);
    const before = state.reads;
    await file.read(FILE_CACHE_BLOCKS * 1000, FILE_CACHE_BLOCKS * 1000 + 1);
    expect(state.reads).toBe(before);
    await file.read(0, 1);
    expect(state.reads).toBeGreaterThan(before);
  });

  test("what a caller does to the bytes it got does not come out of the next read", async () => {
    const { file, source } = await opened(3000);
    (await file.read(0, 100)).fill(0xff);
    expect(Buffer.compare(await file.read(0, 100), source.subarray(0, 100))).toBe(0);
  });

  test("streams a range, and ends where the file does", async () => {
    const { file, source } = await opened(10_000);
    const parts: Uint8Array[] = [];
    for await (const part of file.stream({ start: 2500, end: 99_999 })) parts.push(part);
    expect(Buffer.compare(Buffer.concat(parts), source.subarray(2500))).toBe(0);
  });

  test("a range behind the end, backwards, or of no numbers is refused", async () => {
    const { file } = await opened(1000);
    expect(await file.read(1000, 2000)).toHaveLength(0);
    await expect(file.read(1001, 2000)).rejects.toMatchObject({ code: "RANGE_NOT_SATISFIABLE" });
    for (const [start, end] of [
      [5, 4],
      [-1, 4],
      [0.5, 4],
      [0, Number.NaN],
    ] as const) {
      await expect(file.read(start, end)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    }
  });

  test("a read above the limit is refused", async () => {
    const dags = new Dags();
    const leaf = await dags.put(patternBytes(1024 * 1024));
    const links = Array.from({ length: MAX_READ_BYTES / (1024 * 1024) + 1 }, () => ({
      cid: leaf,
      size: 1024 * 1024,
    }));
    const root = await dags.file(links);
    const file = await UnixFsFile.open(root, dags.nodes, new Holds().hold(root), {});
    await expect(file.read(0, MAX_READ_BYTES + 1)).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    expect(await file.read(1, MAX_READ_BYTES + 1)).toHaveLength(MAX_READ_BYTES);
  });

  test("a read that is aborted ends at once, even while the block does not come", async () => {
    const { file, state } = await opened(10_000);
    const never = Promise.withResolvers<Uint8Array>();
    state.block = () => never.promise;
    const controller = new AbortController();
    const reading = file.read(9000, 9100, { signal: controller.signal });
    controller.abort(new Error("seek"));
    await expect(reading).rejects.toThrow("seek");
  });

  test("closing ends what is under way, lets go of the content, and says so afterwards", async () => {
    const { file, holds, state } = await opened(10_000);
    const never = Promise.withResolvers<Uint8Array>();
    state.block = () => never.promise;
    const reading = file.read(9000, 9100);
    expect(holds.size).toBe(1);
    await file.close();
    await file.close();
    expect(holds.size).toBe(0);
    await expect(reading).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(file.read(0, 1)).rejects.toMatchObject({ code: "CONFLICT" });
  });

  test("a directory cannot be opened", async () => {
    const dags = new Dags();
    const root = await dags.node(Uint8Array.from([8, 1]), []);
    const opening = UnixFsFile.open(root, dags.nodes, new Holds().hold(root), {});
    await expect(opening).rejects.toMatchObject({ code: "NOT_A_FILE" });
  });
});
