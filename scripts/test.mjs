// `npm test`: types, lint, format, then every test but those with foreign peers. Ends with `N passed, N failed, N skipped`.
import { ensureInstalled, nodeProgram, run, runMain } from "./setup.mjs";
import { addCheck, addCounts, noCounts, printCounts, runVitest, writeCounts } from "./report.mjs";

/** @type {readonly (readonly [name: string, command: string, args: string[]])[]} */
const CHECKS = [
  ["types of the node", "tsc", ["--noEmit"]],
  ["types of the pages", "tsc", ["--noEmit", "-p", "tsconfig.web.json"]],
  ["lint", "oxlint", []],
  ["format", "biome", ["format", "."]],
  ["documents written from the code", "node", ["scripts/write-docs.ts", "--check"]],
  ["unused files, exports and dependencies", "knip", []],
];

await runMain(async () => {
  await ensureInstalled();
  const node = nodeProgram();
  const counts = noCounts();
  for (const [name, command, args] of CHECKS) {
    const code = await run(command, args);
    console.log(`${code === 0 ? "ok" : "FAILED"}: ${name}`);
    addCheck(counts, name, code);
  }
  addCheck(counts, "the pages", await run(node, ["scripts/build-web.mjs"]));
  addCounts(counts, await runVitest(["unit", "browser", "conformance"], "test", process.argv.slice(2)));
  writeCounts("test", counts);
  printCounts(counts);
  return counts.failed === 0 ? 0 : 1;
});
