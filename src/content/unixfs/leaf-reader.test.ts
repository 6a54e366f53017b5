import fc from "fast-check";
import type { CID } from "multiformats/cid";
import { describe, expect, test } from "vitest";
import { isCidcastError } from "../../core/index.ts";
import {
  MAX_DAG_DEPTH,
  NODE_CACHE_BYTES,
  NODE_CACHE_ENTRIES,
  READ_AHEAD_MAX_BLOCKS,
  READ_AHEAD_MAX_BYTES,
} from "../limits.ts";
import { type LeafRange, NodeCache, readLeaves } from "./index.ts";
import { Dags, identityCid, patternBytes, SHAPES } from "./test-support.ts";

async function read(nodes: NodeCache, root: CID, start: number, end: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const leaf of readLeaves(nodes, root, { start, end })) {
    parts.push(leaf.bytes.subarray(Math.max(0, start - leaf.start), end - leaf.start));
  }
  return Buffer.concat(parts);
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe("files as other programs write them", () => {
  describe.each(Object.entries(SHAPES))("%s", (_, options) => {
    test.each([0, 1, 499, 500, 1000, 20_000, 600_000])("%i bytes read as they were written", async size => {
      const dags = new Dags();
      const source = patternBytes(size);
      const root = await dags.import([{ content: source }], options);
      expect(equal(await read(dags.nodes, root, 0, size), source)).toBe(true);
      expect(equal(await dags.export(root), source)).toBe(true);
    });

    test("any range is that of the source, and what the reference exporter gives", async () => {
      const dags = new Dags();
      const source = patternBytes(30_011);
      const root = await dags.import([{ content: source }], options);
      await fc.assert(
        fc.asyncProperty(fc.nat(source.length), fc.nat(source.length), async (a, b) => {
          const [start, end] = a < b ? [a, b] : [b, a];
          const ours = await read(dags.nodes, root, start, end);
          const theirs = await dags.export(root, { offset: start, length: end - start });
          expect(equal(ours, source.subarray(start, end))).toBe(true);
          expect(equal(ours, theirs)).toBe(true);
        }),
        { numRuns: 40 },
      );
    });
  });

  test("identity CIDs, as leaves and as the file itself", async () => {
    const dags = new Dags();
    expect((await read(dags.nodes, identityCid(Buffer.from("inline")), 1, 4)).toString()).toBe("nli");
    const stored = await dags.put(Buffer.from("stored "));
    const root = await dags.file([
      { cid: stored, size: 7 },
      { cid: identityCid(Buffer.from("inline")), size: 6 },
    ]);
    expect((await read(dags.nodes, root, 0, 13)).toString()).toBe("stored inline");
  });

  test("bytes that stand in inner nodes, before those of their children", async () => {
    const dags = new Dags();
    const inner = await dags.file([{ cid: await dags.put(Buffer.from("cd")), size: 2 }], {
      data: Buffer.from("ab"),
    });
    const root = await dags.file(
      [
        { cid: inner, size: 4 },
        { cid: await dags.put(Buffer.from("ef")), size: 2 },
      ],
      { data: Buffer.from("__") },
    );
    expect((await read(dags.nodes, root, 0, 8)).toString()).toBe("__abcdef");
    expect((await read(dags.nodes, root, 3, 7)).toString()).toBe("bcde");
    expect((await read(dags.nodes, root, 1, 3)).toString()).toBe("_a");
  });

  test("the same leaf many times, and children without bytes", async () => {
    const dags = new Dags();
    const leaf = await dags.put(Buffer.from("xy"));
    const nothing = await dags.put(new Uint8Array(0));
    const root = await dags.file([
      { cid: nothing, size: 0 },
      ...Array.from({ length: 50 }, () => ({ cid: leaf, size: 2 })),
      { cid: nothing, size: 0 },
    ]);
    expect((await read(dags.nodes, root, 0, 100)).toString()).toBe("xy".repeat(50));
  });
});

describe("nodes that lie", () => {
  const codeOf = async (dags: Dags, root: CID, end: number): Promise<string> => {
    try {
      await read(dags.nodes, root, 0, end);
      return "read";
    } catch (error) {
      return isCidcastError(error) ? error.code : String(error);
    }
  };

  test("a leaf that is not as long as its parent says is CORRUPT_DAG", async () => {
    const dags = new Dags();
    const leaf = await dags.put(Buffer.from("four"));
    for (const size of [1, 3, 5, 1_000_000]) {
      expect(await codeOf(dags, await dags.file([{ cid: leaf, size }]), size)).toBe("CORRUPT_DAG");
    }
  });

  test("a node whose size is not the sum of its parts, or beyond all numbers, is CORRUPT_DAG", async () => {
    const dags = new Dags();
    const leaf = { cid: await dags.put(Buffer.from("four")), size: 4 };
    expect(await codeOf(dags, await dags.file([leaf], { fileSize: 5 }), 4)).toBe("CORRUPT_DAG");
    const huge = { ...leaf, size: Number.MAX_SAFE_INTEGER };
    expect(await codeOf(dags, await dags.file([huge, huge]), 4)).toBe("CORRUPT_DAG");
  });

  test("a chain deeper than the limit is CORRUPT_DAG, one at the limit is read", async () => {
    const dags = new Dags();
    let cid = await dags.put(Buffer.from("x"));
    for (let depth = 0; depth < MAX_DAG_DEPTH; depth++) cid = await dags.file([{ cid, size: 1 }]);
    expect(await codeOf(dags, cid, 1)).toBe("read");
    cid = await dags.file([{ cid, size: 1 }]);
    expect(await codeOf(dags, cid, 1)).toBe("CORRUPT_DAG");
  });

  test("a directory in the middle of a file is NOT_A_FILE, an unknown codec UNSUPPORTED_DAG", async () => {
    const dags = new Dags();
    const directory = await dags.node(Uint8Array.from([8, 1]), []);
    expect(await codeOf(dags, await dags.file([{ cid: directory, size: 4 }]), 4)).toBe("NOT_A_FILE");
    const cbor = await dags.put(Uint8Array.from([0xa0]), 0x71);
    expect(await codeOf(dags, await dags.file([{ cid: cbor, size: 1 }]), 1)).toBe("UNSUPPORTED_DAG");
  });

  test("a missing block is CONTENT_NOT_FOUND", async () => {
    const dags = new Dags();
    const leaf = await dags.put(Buffer.from("gone"));
    const root = await dags.file([{ cid: leaf, size: 4 }]);
    await dags.store.delete(leaf);
    expect(await codeOf(dags, root, 4)).toBe("CONTENT_NOT_FOUND");
  });

  test("a node of any bytes ends in an error of ours or in bytes, never in anything else", async () => {
    const dags = new Dags();
    const good = await dags.import(
      [{ content: patternBytes(5000) }],
      SHAPES["small chunks, three links per node"],
    );
    const block = (await dags.store.get(good)) ?? Buffer.alloc(0);
    const mutated = fc
      .array(fc.tuple(fc.nat(block.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map(changes => {
        const bytes = Buffer.from(block);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    const allowed = ["read", "CORRUPT_DAG", "UNSUPPORTED_DAG", "CONTENT_NOT_FOUND", "NOT_A_FILE"];
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), async bytes => {
        expect(allowed).toContain(await codeOf(dags, await dags.put(bytes, 0x70), 5000));
      }),
      { numRuns: 500 },
    );
  });
});

describe("reading ahead", () => {
  /** A reader's view of the store that notes what is asked for and lets a test decide when it comes. */
  async function watched(chunk: number, leaves: number) {
    const dags = new Dags();
    const source = patternBytes(chunk * leaves);
    const children = [];
    for (let i = 0; i < leaves; i++) {
      children.push({ cid: await dags.put(source.subarray(i * chunk, (i + 1) * chunk)), size: chunk });
    }
    const root = await dags.file(children);
    const state = { asked: 0, signals: [] as (AbortSignal | undefined)[] };
    const nodes = new NodeCache({
      block: (cid, options) => {
        if (cid.code === 0x55) state.asked++;
        state.signals.push(options?.signal);
        return dags.blocks.block(cid, options);
      },
    });
    const open = (range: Partial<LeafRange> = {}) =>
      readLeaves(nodes, root, { start: 0, end: source.length, ...range });
    return { open, state };
  }

  test("begins with two blocks, doubles per block consumed, and stops at sixteen", async () => {
    const { open, state } = await watched(1000, 100);
    const leaves = open();
    const asked: number[] = [];
    for (let i = 0; i < 8; i++) {
      await leaves.next();
      asked.push(state.asked - i - 1);
    }
    expect(asked).toEqual([1, 3, 7, 15, 15, 15, 15, 15]);
    // The one given out is one of the window.
    expect(Math.max(...asked) + 1).toBe(READ_AHEAD_MAX_BLOCKS);
    await leaves.return(undefined);
  });

  test("holds no more than four mebibytes ahead", async () => {
    const size = 1024 * 1024;
    const { open, state } = await watched(size, 20);
    const leaves = open();
    for (let i = 0; i < 6; i++) await leaves.next();
    expect(state.asked - 6).toBeLessThanOrEqual(READ_AHEAD_MAX_BYTES / size);
    await leaves.return(undefined);
  });

  test("reads only the blocks of the range", async () => {
    const { open, state } = await watched(1000, 100);
    for await (const leaf of open({ start: 50_500, end: 52_500 })) expect(leaf.bytes.byteLength).toBe(1000);
    expect(state.asked).toBe(3);
  });

  test("ends with the reason of the signal, and tells whoever fetches", async () => {
    const { open, state } = await watched(1000, 100);
    const controller = new AbortController();
    const leaves = open({ signal: controller.signal });
    await leaves.next();
    controller.abort(new Error("seek"));
    await expect(leaves.next()).rejects.toThrow("seek");
    expect(state.signals.at(-1)?.aborted).toBe(true);
  });

  test("a reader that leaves early stops what was read ahead for it", async () => {
    const { open, state } = await watched(1000, 100);
    const leaves = open();
    await leaves.next();
    await leaves.return(undefined);
    expect(state.signals.every(signal => signal?.aborted)).toBe(true);
  });
});

describe("the cache of nodes", () => {
  test("keeps a bounded number of nodes", async () => {
    const dags = new Dags();
    const leaf = await dags.put(Buffer.from("x"));
    for (let i = 0; i < NODE_CACHE_ENTRIES + 50; i++) {
      const cid = await dags.file([{ cid: leaf, size: 1 }], { data: Buffer.from(`node ${i}`) });
      await dags.nodes.load(cid);
    }
    expect(dags.nodes.usage.nodes).toBe(NODE_CACHE_ENTRIES);
  });

  test("keeps a bounded number of bytes, however large the nodes of a hostile file", async () => {
    const dags = new Dags();
    const leaf = await dags.put(Buffer.from("x"));
    // A file of one byte in one link, and a field that nobody knows of a mebibyte.
    const filler = [0x7a, 0x80, 0x80, 0x40];
    for (let i = 0; i < 12; i++) {
      const data = Buffer.concat([
        Uint8Array.from([8, 2, 0x18, 1, 0x20, 1, ...filler]),
        Buffer.alloc(1 << 20, i),
      ]);
      await dags.nodes.load(await dags.node(data, [{ Hash: leaf, Name: "", Tsize: 1 }]));
    }
    expect(dags.nodes.usage.bytes).toBeLessThanOrEqual(NODE_CACHE_BYTES);
    expect(dags.nodes.usage.nodes).toBeGreaterThan(1);
  });
});
