import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { fileOfSeed } from "../../test/suites/blockstore-blocks.ts";
import { bytesOf, pieces, TestBed } from "./verbs/test-support.ts";

const CHILD = fileURLToPath(new URL("../../test/suites/blockstore-add-child.ts", import.meta.url));

describe("a node that is killed", () => {
  test("loses no acknowledged add: record, pin and every byte are there", async () => {
    await using bed = new TestBed();
    const added = new Map<number, string>();
    const removed = new Set<number>();
    for (let round = 0; round < 4; round++) {
      const from = 16 * Math.ceil((Math.max(-1, ...added.keys()) + 1) / 16) + 16;
      const child = spawn(process.execPath, [CHILD, bed.directory, String(from)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const killAfter = 1 + ((round * 13) % 23);
      let lines = 0;
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        lines += chunk.split("\n").length - 1;
        if (lines >= killAfter) child.kill("SIGKILL");
      });
      await once(child, "close");
      for (const line of text.split("\n").slice(0, -1)) {
        const [kind, seed = "", cid = ""] = line.split(" ");
        if (kind === "+") added.set(Number(seed), cid);
        else removed.add(Number(seed));
      }
      const node = await bed.start();
      const wrong: number[] = [];
      const pins = new Set((await node.content.pins()).map(pin => pin.cid));
      for (const [seed, cid] of added) {
        if (removed.has(seed)) continue;
        const whole = Buffer.compare(await bytesOf(node, cid), fileOfSeed(seed)) === 0;
        if (!whole || !pins.has(cid) || (await node.content.record(cid)) === undefined) wrong.push(seed);
      }
      expect(wrong).toEqual([]);
      await node.content.gc();
      await node.close();
    }
    expect(added.size).toBeGreaterThan(4);
  }, 120_000);
});

describe("kinds of block store", () => {
  test.each(["pack", "flat", "memory"] as const)("%s: added, read, collected", async kind => {
    await using bed = new TestBed();
    const node = await bed.start({ blockstore: { kind } });
    const { cid } = await node.content.add(pieces(fileOfSeed(7)));
    expect(Buffer.compare(await bytesOf(node, cid), fileOfSeed(7))).toBe(0);
    await node.content.remove(cid);
    expect((await node.content.gc()).removedBlocks).toBeGreaterThan(1);
    expect(await node.content.usage()).toEqual({ blocks: 0, bytes: 0 });
  });
});
