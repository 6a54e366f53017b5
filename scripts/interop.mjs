// `npm run interop`: tests against real foreign peers, which are installed or built when they are missing.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { addCheck, addCounts, addFailure, noCounts, printCounts, runVitest, writeCounts } from "./report.mjs";
import { ensureInstalled, nodeProgram, ROOT, run, runMain } from "./setup.mjs";

const SKIPS = join(ROOT, "artifacts", "interop-skips.jsonl");

await runMain(async () => {
  await ensureInstalled();
  rmSync(SKIPS, { force: true });
  const counts = noCounts();
  addCheck(counts, "the pages", await run(nodeProgram(), ["scripts/build-web.mjs"]));
  addCounts(counts, await runVitest(["interop"], "interop", process.argv.slice(2)));
  refuseSkips(counts);
  writeCounts("interop", counts);
  printCounts(counts);
  return counts.failed === 0 ? 0 : 1;
});

/** Tells the peers that were missing, and counts a failure for each whose absence is not allowed. */
function refuseSkips(counts) {
  if (!existsSync(SKIPS)) return;
  const { allowed } = JSON.parse(readFileSync(join(ROOT, "test", "interop", "allowed-skips.json"), "utf8"));
  const missing = new Map(
    readFileSync(SKIPS, "utf8")
      .trim()
      .split("\n")
      .map(line => JSON.parse(line))
      .map(({ peer, reason }) => [peer, reason]),
  );
  for (const [peer, reason] of missing) {
    const known = allowed.some(entry => entry.peer === peer);
    if (known) console.error(`SKIPPED: ${peer} was not to be had: ${reason}`);
    else addFailure(counts, peer, `it was not to be had: ${reason}`);
  }
}
