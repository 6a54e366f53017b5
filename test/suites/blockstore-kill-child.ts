import { writeSync } from "node:fs";
import { PackBlockstore } from "../../src/content/blockstore/pack/index.ts";
import { blockOfSeed } from "./blockstore-blocks.ts";

/**
 * Run by the test that kills it: puts blocks made from a seed, deletes some, sweeps and compacts, and says which are
 * acknowledged: `+ seed` put, `- seed` about to be deleted. Both are written before anything else goes on.
 */
const [directory = "", from = "0"] = process.argv.slice(2);

const store = new PackBlockstore({ directory, packMaxBytes: 400_000 });
await store.open();
for (let seed = Number(from); ; seed += 8) {
  await Promise.all(Array.from({ length: 8 }, (_, i) => put(seed + i)));
  if (seed % 64 === 0) await removeSome(seed);
}

async function put(seed: number): Promise<void> {
  const { cid, bytes } = blockOfSeed(seed);
  await store.put(cid, bytes);
  writeSync(1, `+ ${seed}\n`);
}

async function removeSome(seed: number): Promise<void> {
  for (let old = Math.max(0, seed - 64); old < seed; old += 2) {
    writeSync(1, `- ${old}\n`);
    await store.delete(blockOfSeed(old).cid);
  }
  await store.compact();
}
