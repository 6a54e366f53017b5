// `npm test`: types, lint, format, then every test but those with foreign peers. Ends with `N passed, N failed, N skipped`.
import { ensureInstalled, nodeProgram, run, runMain } from "./setup.mjs";
import { addCounts, printCounts, runVitest, writeCounts } from "./report.mjs";

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
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, command, args] of CHECKS) {
    const code = await run(command, args);
    console.log(`${code === 0 ? "ok" : "FAILED"}: ${name}`);
    addCounts(counts, { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 });
  }
  const built = await run(node, ["scripts/build-web.mjs"]);
  addCounts(counts, { passed: built === 0 ? 1 : 0, failed: built === 0 ? 0 : 1, skipped: 0 });
  addCounts(counts, await runVitest(["unit", "browser", "conformance"], "test", process.argv.slice(2)));
  writeCounts("test", counts);
  printCounts(counts);
  return counts.failed === 0 ? 0 : 1;
});
