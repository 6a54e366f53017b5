import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CarReader } from "@ipld/car";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { block, blockOfSeed, type TestBlock } from "../../../../test/suites/blockstore-blocks.ts";
import { isBlockOf } from "../../dag/hash.ts";
import { type FileIo, nodeFileIo } from "../file-io.ts";
import { PackBlockstore, type PackBlockstoreInit } from "./index.ts";

const CHILD = fileURLToPath(new URL("../../../../test/suites/blockstore-kill-child.ts", import.meta.url));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cidcast-packs-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function open(init: Partial<PackBlockstoreInit> = {}): Promise<PackBlockstore> {
  const store = new PackBlockstore({ directory, ...init });
  await store.open();
  return store;
}

const blocks = (count: number): TestBlock[] => Array.from({ length: count }, (_, i) => blockOfSeed(i));
const putAll = (store: PackBlockstore, all: readonly TestBlock[]): Promise<unknown> =>
  Promise.all(all.map(({ cid, bytes }) => store.put(cid, bytes)));
const files = (suffix: string): string[] =>
  readdirSync(directory)
    .filter(name => name.endsWith(suffix))
    .sort();
/** Those of the blocks that the store does not give back as they were put. */
async function lost(store: PackBlockstore, all: readonly TestBlock[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const { cid, bytes } of all) {
    const got = await store.get(cid);
    if (got === undefined || Buffer.compare(got, bytes) !== 0) wrong.push(cid.toString());
  }
  return wrong;
}

/** A disk on which a test can make calls fail. */
function faultyIo(): FileIo & {
  fail: (call: keyof FileIo, bytesWritten?: number) => void;
  heal: () => void;
} {
  let failing: keyof FileIo | undefined;
  let before = 0;
  const noSpace = (): Error =>
    Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  return {
    fail: (call, bytesWritten = 0) => {
      failing = call;
      before = bytesWritten;
    },
    heal: () => {
      failing = undefined;
    },
    async write(fd, buffers, position) {
      if (failing !== "write") return nodeFileIo.write(fd, buffers, position);
      // A full disk takes part of a write first.
      await nodeFileIo.write(fd, [Buffer.concat(buffers).subarray(0, before)], position);
      throw noSpace();
    },
    async sync(fd) {
      if (failing === "sync") throw noSpace();
      return nodeFileIo.sync(fd);
    },
    async truncate(fd, length) {
      if (failing === "truncate") throw noSpace();
      return nodeFileIo.truncate(fd, length);
    },
  };
}

describe("packs", () => {
  test("a pack is a CARv1 that other programs read", async () => {
    const store = await open();
    const all = blocks(20);
    await putAll(store, all);
    await store.close();
    const car = await CarReader.fromBytes(readFileSync(join(directory, files(".car")[0]!)));
    expect(await car.getRoots()).toEqual([]);
    let count = 0;
    for await (const { cid, bytes } of car.blocks()) {
      expect(cid.toString()).toBe(all[count]!.cid.toString());
      expect(isBlockOf(all[count]!.cid, bytes)).toBe(true);
      count++;
    }
    expect(count).toBe(20);
  });

  test("a new pack begins when one is full", async () => {
    const store = await open({ packMaxBytes: 50_000 });
    for (const { cid, bytes } of blocks(20)) await store.put(cid, bytes);
    expect(files(".car").length).toBeGreaterThan(3);
    expect(await lost(store, blocks(20))).toEqual([]);
    await store.close();
  });

  test("a tail that was torn off anywhere is cut off, and what stands before it is there", async () => {
    const all = blocks(6);
    const store = await open();
    for (const { cid, bytes } of all) await store.put(cid, bytes);
    await store.close();
    const car = join(directory, files(".car")[0]!);
    const index = join(directory, files(".idx")[0]!);
    const [whole, records] = [readFileSync(car), readFileSync(index)];
    const last = all.at(-1)!;
    for (const cut of [1, 2, last.bytes.byteLength - 1, last.bytes.byteLength, last.bytes.byteLength + 20]) {
      // The index is written after the pack, so it lacks the block, or tells of it all the same after a power cut.
      for (const kept of [records.length - 48, records.length, 16, 0]) {
        writeFileSync(car, whole.subarray(0, whole.length - cut));
        writeFileSync(index, records.subarray(0, kept));
        const again = await open();
        expect(await lost(again, all.slice(0, -1))).toEqual([]);
        expect(again.has(last.cid), `cut ${cut}, index ${kept}`).toBe(false);
        await again.put(last.cid, last.bytes);
        await again.close();
        expect(Buffer.compare(readFileSync(car), whole)).toBe(0);
      }
    }
  });

  test("blocks whose index record was lost are found again by hashing them", async () => {
    const all = blocks(10);
    const store = await open();
    for (const { cid, bytes } of all) await store.put(cid, bytes);
    await store.close();
    rmSync(join(directory, files(".idx")[0]!));
    const again = await open();
    expect(await lost(again, all)).toEqual([]);
    await again.close();
  });

  test("a damaged block behind the index is not taken up, and those after it are", async () => {
    const all = blocks(5);
    const store = await open();
    for (const { cid, bytes } of all) await store.put(cid, bytes);
    await store.close();
    const car = join(directory, files(".car")[0]!);
    const bytes = readFileSync(car);
    const at = bytes.indexOf(all[2]!.cid.bytes) + all[2]!.cid.bytes.byteLength;
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    writeFileSync(car, bytes);
    truncateSync(join(directory, files(".idx")[0]!), 16);
    const again = await open();
    expect(again.has(all[2]!.cid)).toBe(false);
    expect(await lost(again, all.toSpliced(2, 1))).toEqual([]);
    await again.close();
  });

  test("rubbish behind the last block and a damaged header are repaired", async () => {
    const all = blocks(3);
    const store = await open();
    await putAll(store, all);
    await store.close();
    const car = join(directory, files(".car")[0]!);
    const whole = readFileSync(car);
    for (const rubbish of [Buffer.alloc(4096), Buffer.from("rubbish"), Buffer.alloc(300, 0xff)]) {
      appendFileSync(car, rubbish);
      const bytes = readFileSync(car);
      bytes[3] = 0;
      writeFileSync(car, bytes);
      const again = await open();
      expect(await lost(again, all)).toEqual([]);
      await again.close();
      expect(Buffer.compare(readFileSync(car), whole)).toBe(0);
    }
  });

  test("a damaged index record does not hide what stands behind it", async () => {
    const all = blocks(8);
    const store = await open();
    await putAll(store, all);
    await store.close();
    const index = join(directory, files(".idx")[0]!);
    const bytes = readFileSync(index);
    bytes[16 + 48 * 3 + 5] = (bytes[16 + 48 * 3 + 5] ?? 0) ^ 1;
    writeFileSync(index, bytes);
    const again = await open();
    expect(await lost(again, all)).toEqual([]);
    await again.close();
  });

  test("a place that is no directory is STORAGE_FAILED", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    await expect(open({ directory: file })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });
});

describe("a full disk", () => {
  test.each([0, 1, 40, 5000])(
    "is STORAGE_FULL after %i bytes of a batch, and nothing is corrupt",
    async taken => {
      const io = faultyIo();
      const store = await open({ io });
      const [kept, refused] = [blocks(4), Array.from({ length: 4 }, (_, i) => blockOfSeed(100 + i))];
      await putAll(store, kept);
      io.fail("write", taken);
      const results = await Promise.allSettled(refused.map(({ cid, bytes }) => store.put(cid, bytes)));
      for (const result of results) expect(result).toMatchObject({ reason: { code: "STORAGE_FULL" } });
      for (const { cid } of refused) expect(store.has(cid)).toBe(false);
      expect(await lost(store, kept)).toEqual([]);
      io.heal();
      await putAll(store, refused);
      await store.close();
      const again = await open();
      expect(await lost(again, [...kept, ...refused])).toEqual([]);
      await again.close();
    },
  );

  test("when the failed write cannot be taken back either, the next blocks go to another pack", async () => {
    const io = faultyIo();
    let stuck = false;
    const truncate: FileIo["truncate"] = (fd, length) =>
      stuck ? Promise.reject(new Error("EIO")) : nodeFileIo.truncate(fd, length);
    const store = await open({ io: { ...io, truncate } });
    const all = blocks(4);
    await putAll(store, all);
    stuck = true;
    io.fail("write", 1000);
    const refused = blockOfSeed(100);
    await expect(store.put(refused.cid, refused.bytes)).rejects.toMatchObject({ code: "STORAGE_FULL" });
    io.heal();
    await store.put(refused.cid, refused.bytes);
    expect(files(".car")).toEqual(["00000001.car", "00000002.car"]);
    expect(await lost(store, [...all, refused])).toEqual([]);
    await store.close();
    stuck = false;
    const again = await open();
    expect(await lost(again, [...all, refused])).toEqual([]);
    await again.close();
  });

  test("an fsync that fails is no acknowledgement", async () => {
    const io = faultyIo();
    const store = await open({ io, durability: "full" });
    io.fail("sync");
    const { cid, bytes } = blockOfSeed(1);
    await expect(store.put(cid, bytes)).rejects.toMatchObject({ code: "STORAGE_FULL" });
    expect(store.has(cid)).toBe(false);
    io.heal();
    await store.put(cid, bytes);
    await store.close();
  });

  test("does not keep a collection from making room", async () => {
    const io = faultyIo();
    const store = await open({ io });
    await putAll(store, blocks(10));
    io.fail("write");
    using since = store.guard();
    expect((await store.sweep(store.newSet(), { since })).removedBlocks).toBe(10);
    expect((await store.usage()).bytes).toBe(0);
    io.heal();
    await store.compact();
    expect(files(".car").reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)).toBeLessThan(
      100,
    );
    await store.close();
  });
});

describe("compaction", () => {
  test("gives the room back, moves the rest, and readers under way are not disturbed", async () => {
    const store = await open({ packMaxBytes: 200_000 });
    const all = blocks(60);
    for (const { cid, bytes } of all) await store.put(cid, bytes);
    const before = files(".car");
    const kept = all.filter((_, i) => i % 3 === 0);
    for (const { cid } of all.filter((_, i) => i % 3 !== 0)) await store.delete(cid);
    const reads = Promise.all(kept.map(({ cid }) => store.get(cid)));
    const fresh = Array.from({ length: 20 }, (_, i) => blockOfSeed(1000 + i));
    await Promise.all([store.compact(), putAll(store, fresh)]);
    for (const bytes of await reads) expect(bytes).toBeDefined();
    expect(await lost(store, [...kept, ...fresh])).toEqual([]);
    expect(files(".car").filter(name => before.includes(name))).toEqual([]);
    const { bytes } = await store.usage();
    const onDisk = files(".car").reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    expect(onDisk).toBeLessThan(bytes * 1.1);
    await store.close();
    const again = await open();
    expect(await lost(again, [...kept, ...fresh])).toEqual([]);
    expect((await again.usage()).blocks).toBe(kept.length + fresh.length);
    await again.close();
  });

  test("keeps a pack with a damaged block, so that nothing is lost with it", async () => {
    const store = await open();
    const all = blocks(6);
    for (const { cid, bytes } of all) await store.put(cid, bytes);
    for (const { cid } of all.slice(0, 4)) await store.delete(cid);
    const car = join(directory, files(".car")[0]!);
    const bytes = readFileSync(car);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(car, bytes);
    await store.compact();
    expect(await lost(store, all.slice(4, 5))).toEqual([]);
    await expect(store.get(all[5]!.cid)).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
    await store.close();
  });

  test("a block removed while it is moved stays removed", async () => {
    let removeNow: (() => Promise<unknown>) | undefined;
    const io: FileIo = {
      ...nodeFileIo,
      async write(fd, buffers, position) {
        const remove = removeNow;
        removeNow = undefined;
        // Not waited for: its note in the index waits for this write.
        void remove?.();
        return nodeFileIo.write(fd, buffers, position);
      },
    };
    const store = await open({ io });
    const all = blocks(6);
    for (const { cid, bytes } of all) await store.put(cid, bytes);
    for (const { cid } of all.slice(0, 4)) await store.delete(cid);
    let removed: Promise<boolean> | undefined;
    const compacting = store.compact();
    removeNow = async () => (removed = store.delete(all[4]!.cid));
    await compacting;
    expect(await removed).toBe(true);
    expect(store.has(all[4]!.cid)).toBe(false);
    expect(await lost(store, all.slice(5))).toEqual([]);
    await store.close();
  });
});

describe("a process that is killed", () => {
  test("loses no acknowledged block and leaves no half one, wherever it was", async () => {
    const put = new Set<number>();
    const deleted = new Set<number>();
    let seed = 0;
    for (let round = 0; round < 12; round++) {
      const child = spawn(process.execPath, [CHILD, directory, String(seed)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      // Killed after a number of lines that differs from round to round, in the middle of whatever comes then.
      const killAfter = 1 + ((round * 97) % 400);
      let lines = 0;
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        lines += chunk.split("\n").length - 1;
        if (lines >= killAfter) child.kill("SIGKILL");
      });
      await once(child, "close");
      for (const line of text.split("\n")) {
        const number = Number(line.slice(2));
        if (line.startsWith("+ ")) put.add(number);
        if (line.startsWith("- ")) deleted.add(number);
      }
      expect(put.size).toBeGreaterThan(0);
      seed = 8 * Math.ceil((Math.max(...put) + 64) / 8);
      const store = await open({ packMaxBytes: 400_000 });
      const { blocks: count } = await store.usage();
      let readable = 0;
      const missing: number[] = [];
      for (let number = 0; number < seed; number++) {
        const { cid, bytes } = blockOfSeed(number);
        // A half block would not come out: it would be CORRUPT_BLOCK.
        const got = await store.get(cid);
        const isWhole = got !== undefined && Buffer.compare(got, bytes) === 0;
        if (isWhole) readable++;
        else if (put.has(number) && !deleted.has(number)) missing.push(number);
      }
      expect(missing).toEqual([]);
      // Every block the store knows of is one of those above, whole.
      expect(readable).toBe(count);
      await store.close();
    }
  }, 120_000);

  test("the files of a pack that was being deleted are cleared away", async () => {
    const store = await open();
    await putAll(store, [block("a")]);
    await store.close();
    writeFileSync(join(directory, "00000007.idx"), "left over");
    const again = await open();
    expect(files(".idx")).toEqual(["00000001.idx"]);
    await again.close();
  });
});

test("bytes that are lent may be used again once they are written, unless a reader was given them", async () => {
  const store = await open();
  const [one, two, three] = blocks(3).map(({ cid, bytes }) => ({ cid, bytes, copy: Uint8Array.from(bytes) }));
  if (one === undefined || two === undefined || three === undefined) throw new Error("three blocks");
  const lent = store.putLent(one.cid, one.bytes);
  expect(await lent).toBe(true);
  one.bytes.fill(0);
  expect(Buffer.compare((await store.get(one.cid)) ?? Buffer.from("?"), one.copy)).toBe(0);
  // Read while it is on its way to the disk.
  const shared = store.putLent(two.cid, two.bytes);
  const [read, isFree] = await Promise.all([store.get(two.cid), shared]);
  expect(read).toBe(two.bytes);
  expect(isFree).toBe(false);
  // What is here already is not taken a second time.
  expect(await store.putLent(two.cid, two.copy)).toBe(true);
  // Nor while somebody else's bytes of it are on their way.
  const [, again] = await Promise.all([
    store.put(three.cid, three.bytes),
    store.putLent(three.cid, three.copy),
  ]);
  expect(again).toBe(true);
  await store.close();
});
