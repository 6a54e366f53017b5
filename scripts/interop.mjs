// `npm run interop`: tests against real foreign peers, which are installed or built when they are missing.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { addCounts, printCounts, runVitest, writeCounts } from "./report.mjs";
import { ensureInstalled, nodeProgram, ROOT, run, runMain } from "./setup.mjs";

const SKIPS = join(ROOT, "artifacts", "interop-skips.jsonl");

await runMain(async () => {
  await ensureInstalled();
  rmSync(SKIPS, { force: true });
  const built = await run(nodeProgram(), ["scripts/build-web.mjs"]);
  const counts = { passed: 0, failed: built === 0 ? 0 : 1, skipped: 0 };
  addCounts(counts, await runVitest(["interop"], "interop", process.argv.slice(2)));
  counts.failed += refusedSkips();
  writeCounts("interop", counts);
  printCounts(counts);
  return counts.failed === 0 ? 0 : 1;
});

/** Counts peers that were missing although their absence is not allowed, and tells them. */
function refusedSkips() {
  if (!existsSync(SKIPS)) return 0;
  const { allowed } = JSON.parse(readFileSync(join(ROOT, "test", "interop", "allowed-skips.json"), "utf8"));
  const missing = new Map(
    readFileSync(SKIPS, "utf8")
      .trim()
      .split("\n")
      .map(line => JSON.parse(line))
      .map(({ peer, reason }) => [peer, reason]),
  );
  let refused = 0;
  for (const [peer, reason] of missing) {
    const known = allowed.some(entry => entry.peer === peer);
    console.error(`${known ? "SKIPPED" : "FAILED"}: ${peer} was not to be had: ${reason}`);
    if (!known) refused += 1;
  }
  return refused;
}
