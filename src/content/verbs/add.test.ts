import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_NAME_BYTES, MAX_PATH_DEPTH } from "../limits.ts";
import type { DirectoryEntrySource } from "../types.ts";
import { patternBytes } from "../unixfs/test-support.ts";
import { all, bytesOf, entriesOf, pieces, TestBed } from "./test-support.ts";

let bed: TestBed;
beforeEach(() => {
  bed = new TestBed();
});
afterEach(() => bed[Symbol.asyncDispose]());

describe("adding", () => {
  test("a file is there when add resolves: its bytes, its record, its pin", async () => {
    const node = await bed.start();
    const source = patternBytes(700_000);
    const progress: unknown[] = [];
    const record = await node.content.add(pieces(source), {
      name: "a.bin",
      totalBytes: 700_000,
      onProgress: at => progress.push(at),
    });
    expect(record).toMatchObject({ name: "a.bin", size: 700_000, contentType: "application/octet-stream" });
    expect(Buffer.compare(await bytesOf(node, record.cid), source)).toBe(0);
    expect(await node.content.record(record.cid)).toEqual(record);
    expect(await node.content.pins()).toMatchObject([{ cid: record.cid, name: "" }]);
    expect(progress).toEqual([
      { bytes: 262_144, totalBytes: 700_000 },
      { bytes: 524_288, totalBytes: 700_000 },
      { bytes: 700_000, totalBytes: 700_000 },
    ]);
    expect(node.heard.map(event => event.type)).toEqual(["content_added", "pin_added"]);
  });

  test("the same content again is the same record, and nobody hears of it twice", async () => {
    const node = await bed.start();
    const first = await node.content.add(pieces(Buffer.from("same")), { name: "one.txt" });
    const heard = node.heard.length;
    expect(await node.content.add(pieces(Buffer.from("same")))).toEqual(first);
    expect(node.heard).toHaveLength(heard);
    const renamed = await node.content.add(pieces(Buffer.from("same")), { name: "two.md", pin: "second" });
    expect(renamed).toEqual({ ...first, name: "two.md", contentType: "text/markdown" });
    expect((await node.content.list()).total).toBe(1);
    expect((await node.content.pins()).map(pin => pin.name)).toEqual(["", "second"]);
  });

  test("a caller who asks to be told what happens is told in place of the node", async () => {
    const node = await bed.start();
    const told: unknown[] = [];
    const events = { publish: (type: string): void => void told.push(type) };
    const { cid } = await node.content.add(pieces(Buffer.from("quiet")), { name: "q.txt", events });
    await node.content.pin(cid, { name: "again", events });
    await node.content.unpin(cid, { events });
    await node.content.remove(cid, { events });
    const pinned = ["pin_status_changed", "pin_added", "pin_status_changed"];
    const unpinned = ["pin_removed", "pin_removed", "pin_status_changed"];
    expect(told).toEqual(["content_added", "pin_added", ...pinned, ...unpinned, "content_removed"]);
    expect(node.heard).toEqual([]);
  });

  test("what was added is there after a restart", async () => {
    const node = await bed.start();
    const record = await node.content.add(pieces(Buffer.from("kept")), { name: "kept.txt" });
    await node.close();
    const again = await bed.start();
    expect((await bytesOf(again, record.cid)).toString()).toBe("kept");
    expect(await again.content.record(record.cid)).toEqual(record);
  });

  test("an add that is aborted, or whose source fails or hangs, leaves no record and no pin", async () => {
    const node = await bed.start();
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(600_000);
      controller.abort(new Error("enough"));
      await new Promise(() => {});
    }
    await expect(node.content.add(endless(), { signal: controller.signal })).rejects.toThrow("enough");
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(600_000, 1);
      throw new Error("upload broke");
    }
    await expect(node.content.add(failing())).rejects.toThrow("upload broke");
    expect(await node.content.list()).toEqual({ records: [], total: 0 });
    expect(await node.content.pins()).toEqual([]);
    await node.content.gc();
    expect(await node.content.usage()).toEqual({ blocks: 0, bytes: 0 });
  });

  test("stopping ends an add that is under way", async () => {
    const node = await bed.start();
    async function* hanging(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(10);
      await new Promise(() => {});
    }
    const adding = node.content.add(hanging());
    await Promise.all([expect(adding).rejects.toMatchObject({ code: "SHUTTING_DOWN" }), node.content.stop()]);
  });

  test("more than fits on the disk is refused before it is read", async () => {
    const node = await bed.start();
    const untouched: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => {
        throw new Error("was read");
      },
    };
    for (const take of [
      node.content.add(untouched, { totalBytes: 2 ** 52 }),
      node.content.importCar(untouched, { totalBytes: 2 ** 52 }),
    ]) {
      await expect(take).rejects.toMatchObject({ code: "STORAGE_FULL" });
    }
  });

  test("one add more than the limit is BUSY, until another has ended", async () => {
    const node = await bed.start({ limits: { maxConcurrentAdds: 2 } });
    const gate = Promise.withResolvers<void>();
    async function* waiting(byte: number): AsyncGenerator<Uint8Array> {
      await gate.promise;
      yield Uint8Array.of(byte);
    }
    const adds = [node.content.add(waiting(1)), node.content.add(waiting(2))];
    await expect(node.content.add(waiting(3))).rejects.toMatchObject({ code: "BUSY" });
    gate.resolve();
    await Promise.all(adds);
    expect(await node.content.add(waiting(3))).toMatchObject({ size: 1 });
  });

  test.each([
    [
      "clip.bin",
      undefined,
      Buffer.from("000000186674797069736f6d0000020069736f6d69736f32", "hex"),
      "video/mp4",
    ],
    ["notes.txt", undefined, Buffer.from("words"), "text/plain"],
    ["page.html", undefined, Buffer.from("<p>words"), "text/html"],
    [undefined, undefined, Buffer.from("words in ünïcode"), "text/plain"],
    [undefined, undefined, Uint8Array.of(0, 1, 2, 3), "application/octet-stream"],
    ["data", "audio/x-own; rate=8000", Uint8Array.of(0, 1, 2, 3), "audio/x-own"],
    ["data", "not a type\r\nX: y", Uint8Array.of(0, 1, 2, 3), "application/octet-stream"],
    ["data", `text/${"x".repeat(300)}`, Uint8Array.of(0, 1, 2, 3), "application/octet-stream"],
  ])("content type of %s given as %s", async (name, contentType, bytes, expected) => {
    const node = await bed.start();
    const hints = {
      ...(name === undefined ? {} : { name }),
      ...(contentType === undefined ? {} : { contentType }),
    };
    expect((await node.content.add(pieces(bytes), hints)).contentType).toBe(expected);
  });

  test.each(["a/b", "..", "x".repeat(MAX_NAME_BYTES + 1), "ü".repeat(MAX_NAME_BYTES / 2 + 1), "a\0b"])(
    "a name that cannot be one is refused: %s",
    async name => {
      const node = await bed.start();
      await expect(node.content.add(pieces(Buffer.from("x")), { name })).rejects.toMatchObject({
        code: "INVALID_REQUEST",
      });
    },
  );
});

describe("directories", () => {
  const files = { "index.html": "<p>", "media/clip.mp4": "clip", "media/deep/notes.txt": "notes", empty: "" };

  test("are listed, resolved and read by path", async () => {
    const node = await bed.start();
    const record = await node.content.addDirectory(entriesOf(files), { name: "site" });
    expect(record).toMatchObject({ name: "site", contentType: "inode/directory", size: 12 });
    expect(await all(node.content.ls(record.cid))).toMatchObject([
      { name: "empty", type: "file", size: 0 },
      { name: "index.html", type: "file", size: 3 },
      { name: "media", type: "directory", size: undefined },
    ]);
    expect((await bytesOf(node, `/ipfs/${record.cid}/media/deep/notes.txt`)).toString()).toBe("notes");
    expect(await node.content.resolve(`ipfs://${record.cid}/media/`)).toMatchObject({ type: "directory" });
    expect(await node.content.contentTypeOf(`${record.cid}/media/clip.mp4`)).toBe("video/mp4");
    expect(await node.content.stat(record.cid)).toMatchObject({
      type: "directory",
      size: 12,
      complete: true,
    });
    await expect(node.content.open(`${record.cid}/none`)).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
    await expect(node.content.open(`${record.cid}/media`)).rejects.toMatchObject({ code: "NOT_A_FILE" });
    await expect(node.content.open(`${record.cid}/index.html/x`)).rejects.toMatchObject({
      code: "NOT_A_DIRECTORY",
    });
  });

  test.each([
    "",
    "/absolute",
    "a//b",
    "a/../b",
    "./a",
    "a/",
    "x".repeat(MAX_NAME_BYTES + 1),
    "d/".repeat(MAX_PATH_DEPTH) + "f",
    `${"d".repeat(200)}/`.repeat(50) + "f",
  ])("a path that cannot be one is refused: %s", async path => {
    const node = await bed.start();
    await expect(node.content.addDirectory(entriesOf({ [path]: "x" }))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });

  test("the same path twice, and a path through a file, are refused", async () => {
    const node = await bed.start();
    for (const paths of [
      ["a", "a"],
      ["a", "a/b"],
      ["a/b", "a"],
    ]) {
      async function* twice(): AsyncGenerator<DirectoryEntrySource> {
        for (const path of paths) yield { path, content: pieces(Buffer.from("x")) };
      }
      await expect(node.content.addDirectory(twice())).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    }
  });

  test("a directory of more files than the limit is refused", async () => {
    const node = await bed.start({ limits: { maxDirectoryFiles: 2 } });
    const adding = node.content.addDirectory(entriesOf({ a: "1", b: "2", c: "3" }));
    await expect(adding).rejects.toMatchObject({ code: "LIMIT_REACHED" });
  });

  test("one without files is a directory", async () => {
    const node = await bed.start();
    // The well-known CID of the empty directory as CIDv1.
    const empty = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";
    expect(await node.content.addDirectory(entriesOf({}))).toMatchObject({ cid: empty, size: 0 });
    expect(await all(node.content.ls(empty))).toEqual([]);
  });
});
