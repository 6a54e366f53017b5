import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { CID } from "multiformats/cid";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MemoryBlocks } from "../../src/p2p/test-support.ts";
import { startContentSocket } from "../../src/transfer/testing/doors.ts";
import { addFile } from "../suites/dag.ts";
import { launchChromium, openPage } from "./chromium.ts";
import { playerOf } from "./player-handle.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

const SAMPLE = fileURLToPath(new URL("../../samples/sample-720p.mp4", import.meta.url));
/** Share of the file that the source hands out at once. */
const EARLY = 0.6;

/** Blocks of which the later ones of a file are held back. */
class HeldBlocks extends MemoryBlocks {
  readonly late = new Set<string>();
  readonly release = Promise.withResolvers<void>();

  override async get(cid: CID): Promise<Uint8Array | undefined> {
    if (this.late.has(cid.toString())) await this.release.promise;
    return super.get(cid);
  }
}

let browser: Browser;
let real: RealNode;

beforeAll(async () => {
  [browser, real] = await Promise.all([
    launchChromium(),
    startRealNode({ transfer: { stallTimeoutMs: 120_000 } }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await real?.[Symbol.asyncDispose]();
});

it("plays a file in the browser while most of it is still to come from elsewhere", async () => {
  const there = new HeldBlocks();
  const root = await addFile(there, await readFile(SAMPLE), { chunkBytes: 32 * 1024, fanout: 8 });
  const leaves = [...there.blocks.keys()].filter(cid => cid.startsWith("bafk"));
  for (const cid of leaves.slice(Math.floor(leaves.length * EARLY))) there.late.add(cid);
  await using door = await startContentSocket(there);
  const cid = root.toString();
  const { id } = await real.node.transfers.begin({ cid, from: [door.url] });
  const { page, log } = await openPage(browser);
  const player = playerOf(page);
  await page.goto(`${real.url}/play/${cid}`);
  await player.reaches("playing");
  const { framesDecoded } = await player.advances({ frames: 30, samples: 24_000 });
  expect(framesDecoded).toBeGreaterThan(29);
  expect((await real.node.content.stat(cid)).complete).toBe(false);
  there.release.resolve();
  expect((await real.node.transfers.finished(id)).ok).toBe(true);
  await player.run("player.seek(15)");
  await player.passes(15.5);
  expect(log.errors).toEqual([]);
  await page.close();
});
