import { CarReader, CarWriter } from "@ipld/car";
import * as dagCbor from "@ipld/dag-cbor";
import { CID } from "multiformats/cid";
import { expect, test } from "vitest";
import { all, bytesOf, entriesOf, type Node, pieces, TestBed } from "../verbs/test-support.ts";
import { CAR_MAX_HEADER_BYTES, CAR_MAX_ROOTS, CAR_READ_AHEAD_BLOCKS } from "../limits.ts";
import { type DagSelection, selectBlocks } from "./select.ts";
import { carEntry, carHeader, parseCarHeader } from "./codec.ts";
import { readCar } from "./reader.ts";

const MIB = 1024 * 1024;

async function carOf(node: Node, ref: string, selection: DagSelection = {}): Promise<Buffer> {
  const { end, blocks } = await node.content.dag(ref, selection);
  const entries = (await all(blocks)).flatMap(block => [...carEntry(block)]);
  return Buffer.concat([carHeader([end]), ...entries]);
}

/** The CIDs of a CAR, as another reader sees them. */
async function cidsOf(car: Uint8Array): Promise<string[]> {
  const reader = await CarReader.fromBytes(car);
  return (await all(reader.cids())).map(String);
}

function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) bytes[i] = (state = (Math.imul(state, 1664525) + 1013904223) | 0) >>> 24;
  return bytes;
}

test("a directory carried by a CAR is the same on another node, pinned there, and other readers read it", async () => {
  await using bed = new TestBed();
  const [here, there] = [await bed.start(), await bed.startOther()];
  const { cid } = await here.content.addDirectory(
    entriesOf({ "a.txt": "aaa", "sub/b.txt": "b".repeat(MIB) }),
  );
  const car = await carOf(here, cid);
  expect((await (await CarReader.fromBytes(car)).getRoots()).map(String)).toEqual([cid]);
  const imported = await there.content.importCar(pieces(car, 777));
  expect(imported).toMatchObject({ roots: [cid], blocks: (await cidsOf(car)).length });
  expect((await there.content.pins()).map(pin => pin.cid)).toEqual([cid]);
  expect(await bytesOf(there, `${cid}/sub/b.txt`)).toEqual(await bytesOf(here, `${cid}/sub/b.txt`));
  expect((await there.content.stat(cid)).complete).toBe(true);
});

test("leaves are read ahead in their order, no more of them than is allowed, and one that fails is told in its turn", async () => {
  await using bed = new TestBed();
  const node = await bed.start();
  const { cid } = await node.content.add(pieces(noise(5 * MIB, 9), MIB));
  const end = CID.parse(cid);
  const given: string[] = [];
  const asked: string[] = [];
  let lost: string | undefined;
  const read = async (block: CID): Promise<Uint8Array> => {
    asked.push(String(block));
    expect(asked.length - given.length).toBeLessThanOrEqual(CAR_READ_AHEAD_BLOCKS + 1);
    if (String(block) === lost) throw new Error("lost");
    return node.content.block(String(block));
  };
  for await (const block of selectBlocks({ path: [], end, read }, {})) given.push(String(block.cid));
  expect(given).toEqual(await cidsOf(await carOf(node, cid)));
  expect(asked).toEqual(given);
  lost = given[3];
  const before = given.splice(0);
  asked.length = 0;
  const taken = async (): Promise<void> => {
    for await (const block of selectBlocks({ path: [], end, read }, {})) given.push(String(block.cid));
  };
  await expect(taken()).rejects.toThrow("lost");
  expect(given).toEqual(before.slice(0, 3));
});

test("a range of a file is the blocks that hold it and no others", async () => {
  await using bed = new TestBed();
  const node = await bed.start();
  const { cid } = await node.content.add(pieces(noise(4 * MIB, 3), MIB));
  const whole = await cidsOf(await carOf(node, cid, { scope: "entity" }));
  const leafBytes = (await all(node.content.cat(cid)))[0]?.byteLength ?? 0;
  const range = async (from: number, to?: number): Promise<string[]> =>
    cidsOf(await carOf(node, cid, { scope: "entity", bytes: { from, to } }));
  expect(await range(0)).toEqual(whole);
  expect(await range(0, 0)).toEqual(whole.slice(0, 2));
  expect(await range(leafBytes, leafBytes)).toEqual([whole[0], whole[2]]);
  expect(await range(-1)).toEqual([whole[0], whole.at(-1)]);
  expect(await range(-99 * MIB, -leafBytes - 1)).toEqual(whole.slice(0, -1));
  expect(await range(99 * MIB)).toEqual([cid]);
});

test("blocks that stand in several places come once, or as often as they stand", async () => {
  await using bed = new TestBed();
  const node = await bed.start();
  const zeros = await node.content.add(pieces(new Uint8Array(4 * MIB), MIB));
  const leaves = (await all(node.content.cat(zeros.cid))).length;
  expect(await cidsOf(await carOf(node, zeros.cid))).toHaveLength(2);
  expect(await cidsOf(await carOf(node, zeros.cid, { duplicates: true }))).toHaveLength(leaves + 1);
  // The first leaf is wanted in part, the same one further on as a whole.
  const part = await carOf(node, zeros.cid, { scope: "entity", bytes: { from: 10, to: undefined } });
  expect(await cidsOf(part)).toHaveLength(2);
});

test("a path brings the blocks that verify it, large directories and documents too", async () => {
  await using bed = new TestBed();
  const node = await bed.start();
  const files = Object.fromEntries(
    Array.from({ length: 9000 }, (_, i) => [`file-${i}-${"x".repeat(40)}`, `${i}`]),
  );
  const { cid } = await node.content.addDirectory(entriesOf(files));
  const ref = `${cid}/file-7000-${"x".repeat(40)}`;
  const { end, path, roots } = await node.content.path(ref);
  expect(path.length).toBeGreaterThan(1);
  expect(roots.map(String)).toEqual([cid, end.toString()]);
  const blocks = await cidsOf(await carOf(node, ref));
  expect(blocks).toEqual([...path, end].map(String));
  const other = await bed.startOther();
  await other.content.importCar(pieces(await carOf(node, ref)), { pin: false });
  expect((await bytesOf(other, ref)).toString()).toBe("7000");
  const listing = await cidsOf(await carOf(node, cid, { scope: "entity" }));
  expect(listing.length).toBeGreaterThan(path.length);
  expect(listing).not.toContain(end.toString());
});

test("with `local` a path is followed only as far as it is here", async () => {
  await using bed = new TestBed();
  const [here, there] = [await bed.start(), await bed.startOther()];
  const { cid } = await here.content.addDirectory(entriesOf({ "sub/b.txt": "b" }));
  await there.content.importCar(pieces(await carOf(here, cid, { scope: "block" })), { pin: false });
  await expect(there.content.path(`${cid}/sub/b.txt`, { local: true })).rejects.toMatchObject({
    code: "CONTENT_NOT_FOUND",
  });
  await here.content.path(`${cid}/sub/b.txt`, { local: true });
});

test("a block that is not what its CID says is refused, and nothing of the CAR is pinned", async () => {
  await using bed = new TestBed();
  const node = await bed.start();
  const { cid } = await node.content.add(pieces(noise(3 * MIB, 5), MIB));
  const car = await carOf(node, cid);
  car[car.length - 1] = (car.at(-1) ?? 0) ^ 1;
  const other = await bed.startOther();
  await expect(other.content.importCar(pieces(car))).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
  expect(await other.content.pins()).toEqual([]);
});

test.each([
  ["nothing", Buffer.alloc(0)],
  ["text", Buffer.from("this is no CAR at all")],
  ["a header too large", Buffer.from([0xff, 0xff, 0xff, 0x7f])],
  ["an endless length", Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
  ["a block too large", Buffer.concat([carHeader([]), Buffer.from([0xff, 0xff, 0xff, 0x7f])])],
  ["a block without a CID", Buffer.concat([carHeader([]), Buffer.from([3, 0xff, 0xff, 0xff])])],
  ["a torn block", Buffer.concat([carHeader([]), Buffer.from([100, 1, 0x55])])],
])("%s is no CAR", async (_name, bytes) => {
  const read = async (): Promise<unknown> => all((await readCar(pieces(bytes, 3))).blocks);
  await expect(read()).rejects.toMatchObject({ code: "INVALID_CAR" });
});

test("a header is read up to its limit and no further", async () => {
  const roots = (count: number): CID[] =>
    Array.from({ length: count }, () =>
      CID.parse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"),
    );
  expect((await readCar(pieces(carHeader(roots(1000))))).roots).toHaveLength(1000);
  for (const header of [carHeader(roots(1001)), carHeader(roots(CAR_MAX_HEADER_BYTES / 36))]) {
    await expect(readCar(pieces(header))).rejects.toMatchObject({ code: "INVALID_CAR" });
  }
});

test("a header has so many roots and no more", () => {
  const root = CID.parse("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
  const header = (count: number): Uint8Array =>
    dagCbor.encode({ version: 1, roots: Array.from({ length: count }, () => root) });
  expect(parseCarHeader(header(CAR_MAX_ROOTS)).roots).toHaveLength(CAR_MAX_ROOTS);
  expect(() => parseCarHeader(header(CAR_MAX_ROOTS + 1))).toThrow(
    expect.objectContaining({ code: "INVALID_CAR" }),
  );
});

test("version 2 is read as far as its blocks go; the index is passed over", async () => {
  await using bed = new TestBed();
  const node = await bed.start();
  const { cid } = await node.content.add(pieces(noise(600_000, 9)));
  const v1 = await carOf(node, cid);
  const fields = Buffer.alloc(40);
  fields.writeBigUInt64LE(64n, 16);
  fields.writeBigUInt64LE(BigInt(v1.byteLength), 24);
  fields.writeBigUInt64LE(BigInt(64 + v1.byteLength), 32);
  const pragma = Buffer.from("0aa16776657273696f6e02", "hex");
  const car = Buffer.concat([
    pragma,
    fields,
    Buffer.alloc(13),
    v1,
    Buffer.from("an index, whatever it holds"),
  ]);
  const read = await readCar(pieces(car, 1000));
  expect(read.roots.map(String)).toEqual([cid]);
  expect((await all(read.blocks)).map(block => block.cid.toString())).toEqual(await cidsOf(v1));
});

test("CARs that others write are read", async () => {
  await using bed = new TestBed();
  const node = await bed.start();
  const { cid } = await node.content.add(pieces(Buffer.from("hello")));
  const { writer, out } = CarWriter.create([CID.parse(cid)]);
  const collected = all(out);
  await writer.put({ cid: CID.parse(cid), bytes: Buffer.from("hello") });
  await writer.close();
  const other = await bed.startOther();
  await other.content.importCar(pieces(Buffer.concat(await collected)), { pin: "carried" });
  expect(await other.content.pins()).toMatchObject([{ cid, name: "carried" }]);
});
