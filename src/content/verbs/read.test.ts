import { CID } from "multiformats/cid";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { block } from "../../../test/suites/blockstore-blocks.ts";
import { VirtualClock } from "../../core/index.ts";
import {
  DEFAULT_LIST_LIMIT,
  MAX_LIST_LIMIT,
  MAX_MEDIA_SUMMARY_BYTES,
  MAX_PATH_DEPTH,
  MAX_REF_LENGTH,
  MAX_SEARCH_LENGTH,
} from "../limits.ts";
import { bytesOf, entriesOf, networkOf, pieces, TestBed } from "./test-support.ts";

let bed: TestBed;
beforeEach(() => {
  bed = new TestBed();
});
afterEach(() => bed[Symbol.asyncDispose]());

describe("references", () => {
  test.each(["", "nonsense", "/ipfs/", "bafy", "/ipns/x", "Qm".padEnd(46, "!")])(
    "%s is INVALID_CID",
    async ref => {
      const node = await bed.start();
      await expect(node.content.resolve(ref)).rejects.toMatchObject({ code: "INVALID_CID" });
    },
  );

  test("longer, deeper or with dots than a path may be is INVALID_REQUEST", async () => {
    const node = await bed.start();
    const { cid } = block("x");
    for (const path of ["x".repeat(MAX_REF_LENGTH), "d/".repeat(MAX_PATH_DEPTH + 1), "a/../b"]) {
      await expect(node.content.resolve(`${cid.toString()}/${path}`)).rejects.toMatchObject({
        code: "INVALID_REQUEST",
      });
    }
  });

  test("a CID in another base or version names the same content", async () => {
    const node = await bed.start();
    const record = await node.content.addDirectory(entriesOf({ a: "x" }));
    const cid = CID.parse(record.cid);
    expect((await node.content.resolve(cid.toV0().toString())).cid).toMatch(/^Qm/);
    expect((await bytesOf(node, `${cid.toV0().toString()}/a`)).toString()).toBe("x");
  });

  test("content that is nowhere is CONTENT_NOT_FOUND, one that cannot be verified UNSUPPORTED_DAG", async () => {
    const node = await bed.start();
    await expect(node.content.open(block("nowhere").cid.toString())).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
    });
    const md5 = block("x", { hash: "md5", code: 0xd5 });
    await expect(node.content.open(md5.cid.toString())).rejects.toMatchObject({ code: "UNSUPPORTED_DAG" });
  });
});

describe("records", () => {
  test("are listed newest first, searched by name and CID, page by page", async () => {
    const clock = new VirtualClock(1000);
    const node = await bed.start({}, { clock });
    const cids: string[] = [];
    for (const name of ["Alpha.txt", "beta_100%.txt", "gamma.txt"]) {
      clock.advance(1);
      cids.push((await node.content.add(pieces(Buffer.from(name)), { name })).cid);
    }
    const names = async (query: object): Promise<unknown[]> =>
      (await node.content.list(query)).records.map(record => record.name);
    expect(await names({})).toEqual(["gamma.txt", "beta_100%.txt", "Alpha.txt"]);
    expect(await names({ sort: "oldest" })).toEqual(["Alpha.txt", "beta_100%.txt", "gamma.txt"]);
    expect(await names({ sort: "name" })).toEqual(["Alpha.txt", "beta_100%.txt", "gamma.txt"]);
    expect(await names({ sort: "largest", limit: 1 })).toEqual(["beta_100%.txt"]);
    expect(await names({ search: "ALPHA" })).toEqual(["Alpha.txt"]);
    expect(await names({ search: "_100%" })).toEqual(["beta_100%.txt"]);
    expect(await names({ search: "_" })).toEqual(["beta_100%.txt"]);
    expect(await names({ search: "\\" })).toEqual([]);
    expect(await names({ search: cids[2]?.slice(0, 20) })).toEqual(["gamma.txt"]);
    expect(await node.content.list({ limit: 1, offset: 1 })).toMatchObject({
      records: [{ name: "beta_100%.txt" }],
      total: 3,
    });
  });

  test("no more are given than the limit", async () => {
    const node = await bed.start();
    expect(DEFAULT_LIST_LIMIT).toBeLessThanOrEqual(MAX_LIST_LIMIT);
    expect(await node.content.list({ limit: MAX_LIST_LIMIT })).toMatchObject({ total: 0 });
    const wrong = [{ limit: MAX_LIST_LIMIT + 1 }, { limit: -1 }, { offset: -1 }, { limit: 0.5 }];
    for (const query of [...wrong, { search: "x".repeat(MAX_SEARCH_LENGTH + 1) }]) {
      await expect(node.content.list(query)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    }
  });

  test("keep what a probe found out, up to a limit", async () => {
    const node = await bed.start();
    const { cid } = await node.content.add(pieces(Buffer.from("x")));
    await node.content.setMedia(cid, { durationSeconds: 3 });
    expect((await node.content.record(cid))?.media).toEqual({ durationSeconds: 3 });
    await node.content.add(pieces(Buffer.from("x")), { name: "x.txt" });
    expect((await node.content.record(cid))?.media).toEqual({ durationSeconds: 3 });
    const large = { text: "x".repeat(MAX_MEDIA_SUMMARY_BYTES) };
    await expect(node.content.setMedia(cid, large)).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    const elsewhere = block("elsewhere").cid.toString();
    await expect(node.content.setMedia(elsewhere, {})).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
  });

  test("removing waits for a look that is soon over", async () => {
    const node = await bed.start();
    const { cid } = await node.content.add(pieces(Buffer.from("x")));
    const hold = node.content.hold(cid);
    const removed = node.content.remove(cid);
    const again = node.content.hold(cid);
    hold.release();
    again.release();
    await removed;
    expect(await node.content.record(cid)).toBeUndefined();
  });

  test("removing takes record and pins away, not while it is held", async () => {
    const node = await bed.start();
    const { cid } = await node.content.add(pieces(Buffer.from("x")), { pin: "named" });
    const hold = node.content.hold(cid);
    await expect(node.content.remove(cid)).rejects.toMatchObject({ code: "CONTENT_IN_USE" });
    hold.release();
    hold.release();
    node.heard.length = 0;
    await node.content.remove(cid);
    expect(node.heard).toEqual([
      { type: "pin_removed", data: { cid, name: "named" } },
      { type: "content_removed", data: { cid } },
    ]);
    await expect(node.content.remove(cid)).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
    expect(await node.content.gc()).toEqual({ removedBlocks: 1, freedBytes: 1 });
  });
});

describe("single blocks", () => {
  test("are checked when put, and never asked of the network by get", async () => {
    const other = await bed.startOther();
    const { network, asked } = networkOf(other);
    const { content } = await bed.start({}, { network });
    const { cid, bytes } = block("block");
    expect(await content.blocks.get(cid)).toBeUndefined();
    expect(await content.blocks.has(cid)).toBe(false);
    await expect(content.blocks.put(cid, Buffer.from("other"))).rejects.toMatchObject({
      code: "CORRUPT_BLOCK",
    });
    await content.blocks.put(cid, bytes);
    expect(await content.blocks.touch(cid)).toBe(true);
    expect(Buffer.from((await content.blocks.get(cid)) ?? []).toString()).toBe("block");
    expect(await content.blocks.delete(cid)).toBe(true);
    expect(asked).toEqual([]);
  });

  test("put under a guard stay, whatever is collected meanwhile", async () => {
    const { content } = await bed.start();
    const guard = content.guard();
    const { cid, bytes } = block("transferred");
    await content.blocks.put(cid, bytes);
    await content.gc();
    expect(await content.blocks.has(cid)).toBe(true);
    guard.release();
    await content.gc();
    expect(await content.blocks.has(cid)).toBe(false);
  });
});
