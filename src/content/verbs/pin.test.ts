import { CID } from "multiformats/cid";
import { encode } from "@ipld/dag-cbor";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { block } from "../../../test/suites/blockstore-blocks.ts";
import { VirtualClock } from "../../core/index.ts";
import { MAX_NAME_BYTES, MAX_PINS_PER_CID } from "../limits.ts";
import type { BlockNetwork } from "../types.ts";
import { patternBytes } from "../unixfs/test-support.ts";
import { all, entriesOf, networkOf, pieces, TestBed } from "./test-support.ts";

let bed: TestBed;
beforeEach(() => {
  bed = new TestBed();
});
afterEach(() => bed[Symbol.asyncDispose]());

describe("content of other nodes", () => {
  test("is fetched as it is read, verified, kept, and asked for once", async () => {
    const other = await bed.startOther();
    const source = patternBytes(900_000);
    const { cid } = await other.content.add(pieces(source));
    const { network, asked } = networkOf(other);
    const node = await bed.start({}, { network });
    const reads = await Promise.all([1, 2, 3].map(() => all(node.content.cat(cid))));
    for (const read of reads) expect(Buffer.compare(Buffer.concat(read), source)).toBe(0);
    expect(asked).toHaveLength(5);
    expect(await node.content.stat(cid)).toMatchObject({ complete: true, localBlocks: 5 });
  });

  test("bytes that do not match are CORRUPT_BLOCK and are not kept", async () => {
    const other = await bed.startOther();
    const { cid } = await other.content.add(pieces(patternBytes(1000)));
    const { network } = networkOf(other, (_, bytes) => Buffer.concat([bytes, Buffer.from("!")]));
    const node = await bed.start({}, { network });
    await expect(node.content.open(cid)).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
    expect((await node.content.usage()).blocks).toBe(0);
  });

  test("a network that never answers ends in CONTENT_NOT_FOUND after the time allowed", async () => {
    let signal: AbortSignal | undefined;
    const network: BlockNetwork = {
      hasPeers: true,
      fetchBlock: (_, options) => {
        signal = options.signal;
        return new Promise(() => {});
      },
    };
    const node = await bed.start({ limits: { findTimeoutMs: 1 } }, { network });
    await expect(node.content.open(block("x").cid.toString())).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
    });
    expect(signal?.aborted).toBe(true);
  });

  test("one reader who leaves does not end what another waits for", async () => {
    const other = await bed.startOther();
    const { cid } = await other.content.add(pieces(Buffer.from("shared")));
    const gate = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    const { network, asked } = networkOf(other, async (_, bytes) => {
      began.resolve();
      await gate.promise;
      return bytes;
    });
    const node = await bed.start({}, { network });
    const controller = new AbortController();
    const leaving = node.content.open(cid, { signal: controller.signal });
    const staying = node.content.open(cid);
    await began.promise;
    controller.abort(new Error("left"));
    await expect(leaving).rejects.toThrow("left");
    gate.resolve();
    await using file = await staying;
    expect(Buffer.from(await file.read(0, 6)).toString()).toBe("shared");
    expect(asked).toHaveLength(1);
  });
});

describe("pins", () => {
  test("bring here what is missing, tell how far they are, and are told", async () => {
    const clock = new VirtualClock();
    const other = await bed.startOther();
    const source = patternBytes(3_000_000);
    const { cid } = await other.content.add(pieces(source), { name: "far.bin" });
    const { network } = networkOf(other, (_, bytes) => {
      clock.advance(100);
      return bytes;
    });
    const node = await bed.start({}, { network, clock });
    expect(await node.content.pin(cid, { name: "mine" })).toMatchObject({ cid, name: "mine" });
    const types = node.heard.map(event => event.type);
    const told = types.filter(type => type === "pin_progress").length;
    // 13 blocks in 1,300 ms: at most four a second.
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(6);
    expect(types.filter(type => type !== "pin_progress")).toEqual([
      "pin_status_changed",
      "content_added",
      "content_retrieved",
      "pin_added",
      "pin_status_changed",
    ]);
    expect(await node.content.stat(cid)).toMatchObject({ complete: true, size: 3_000_000 });
    expect(await node.content.record(cid)).toMatchObject({ name: "mine", size: 3_000_000 });
    expect(await node.content.gc()).toEqual({ removedBlocks: 0, freedBytes: 0 });
  });

  test("of a directory and of structured data take all that is linked", async () => {
    const other = await bed.startOther();
    const { cid } = await other.content.addDirectory(entriesOf({ "a/b": "deep", c: "x" }));
    const node = await bed.start({}, { network: networkOf(other).network });
    await node.content.pin(cid);
    expect(await node.content.record(cid)).toMatchObject({ contentType: "inode/directory", size: 5 });
    expect(await node.content.stat(cid)).toMatchObject({ complete: true });
    const leaf = block("linked");
    const bytes = encode({ list: [{ deep: CID.createV1(0x55, leaf.cid.multihash) }], text: "x" });
    const data = block(bytes, { codec: 0x71 });
    await other.content.blocks.put(leaf.cid, leaf.bytes);
    await other.content.blocks.put(data.cid, data.bytes);
    await node.content.pin(data.cid.toString());
    await node.content.gc();
    expect(await node.content.blocks.has(leaf.cid)).toBe(true);
    expect(await node.content.record(data.cid.toString())).toMatchObject({
      contentType: "application/vnd.ipld.dag-cbor",
      size: bytes.byteLength,
    });
  });

  test("of content that nobody has fail, and say so", async () => {
    const node = await bed.start();
    const { cid } = block("nowhere");
    await expect(node.content.pin(cid.toString())).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
    expect(node.heard.at(-1)).toEqual({
      type: "pin_status_changed",
      data: { cid: cid.toString(), status: "failed" },
    });
    expect(await node.content.pins()).toEqual([]);
  });

  test("go by name, or all at once, and only when they are there", async () => {
    const node = await bed.start();
    const { cid } = await node.content.add(pieces(Buffer.from("x")));
    await node.content.pin(cid, { name: "one" });
    expect(await node.content.pin(cid, { name: "one" })).toMatchObject({ name: "one" });
    await expect(node.content.unpin(cid, { name: "none" })).rejects.toMatchObject({ code: "PIN_NOT_FOUND" });
    await node.content.unpin(cid, { name: "one" });
    expect((await node.content.pins()).map(pin => pin.name)).toEqual([""]);
    await node.content.unpin(cid);
    expect(node.heard.at(-1)).toEqual({ type: "pin_status_changed", data: { cid, status: "unpinned" } });
    await expect(node.content.unpin(cid)).rejects.toMatchObject({ code: "PIN_NOT_FOUND" });
  });

  test("are limited in number and in the length of their names", async () => {
    const node = await bed.start();
    const { cid } = await node.content.add(pieces(Buffer.from("x")), { pin: false });
    for (let i = 0; i < MAX_PINS_PER_CID; i++) await node.content.pin(cid, { name: `pin ${i}` });
    await expect(node.content.pin(cid, { name: "more" })).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    const name = "x".repeat(MAX_NAME_BYTES + 1);
    await expect(node.content.pin(cid, { name })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });
});
