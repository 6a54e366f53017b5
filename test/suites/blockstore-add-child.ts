import { writeSync } from "node:fs";
import { join } from "node:path";
import { contentMigrations, createContent } from "../../src/content/index.ts";
import { EventBus, noMetrics, silentLogger, systemClock } from "../../src/core/index.ts";
import { openDatabase } from "../../src/store/index.ts";
import { fileOfSeed } from "./blockstore-blocks.ts";

/** Run by the test that kills it: adds files made from a seed, removes and collects some, and says which are acknowledged. */
const [directory = "", from = "0"] = process.argv.slice(2);

const database = await openDatabase({ file: join(directory, "node.db"), migrations: contentMigrations });
const content = createContent({ directory })({
  database,
  events: new EventBus(silentLogger),
  log: silentLogger,
  metrics: noMetrics,
  clock: systemClock,
});
await content.start();
for (let seed = Number(from); ; seed += 2) {
  const cids = await Promise.all([add(seed), add(seed + 1)]);
  if (seed % 8 === 0) {
    writeSync(1, `- ${seed}\n`);
    await content.remove(cids[0] ?? "");
    await content.gc();
  }
}

async function add(seed: number): Promise<string> {
  const { cid } = await content.add(
    (async function* () {
      yield fileOfSeed(seed);
    })(),
  );
  writeSync(1, `+ ${seed} ${cid}\n`);
  return cid;
}
