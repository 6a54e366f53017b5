// Runs vitest and counts what it did.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./setup.mjs";

const ARTIFACTS = join(ROOT, "artifacts");

/** Counts of nothing: how many passed, failed and were skipped, and the name and message of each failure. */
export function noCounts() {
  return { passed: 0, failed: 0, skipped: 0, failures: [] };
}

/** Runs the named vitest projects; resolves to what passed, failed and was skipped. */
export async function runVitest(projects, name, more = []) {
  mkdirSync(ARTIFACTS, { recursive: true });
  const file = join(ARTIFACTS, `${name}-vitest.json`);
  rmSync(file, { force: true });
  const code = await run(
    "vitest",
    [
      "run",
      ...projects.flatMap(project => ["--project", project]),
      "--passWithNoTests",
      "--reporter=default",
      `--reporter=${join(ROOT, "scripts", "counting-reporter.mjs")}`,
      ...more,
    ],
    { env: { VITEST_COUNTS_FILE: file } },
  );
  const counts = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : noCounts();
  if (code !== 0 && counts.failed === 0)
    addFailure(counts, "vitest", `it ended with ${code}, and no test failed`);
  return counts;
}

/** Counts one check: passed when `code` is 0. */
export function addCheck(counts, name, code) {
  if (code === 0) counts.passed += 1;
  else addFailure(counts, name, `it ended with ${code}`);
}

/** Counts one failure. */
export function addFailure(counts, name, message) {
  counts.failed += 1;
  counts.failures.push({ name, message });
}

/** Adds `more` to `counts`. */
export function addCounts(counts, more) {
  for (const key of ["passed", "failed", "skipped"]) counts[key] += more[key];
  counts.failures.push(...more.failures);
}

/** Keeps counts for a command that adds up several. */
export function writeCounts(name, counts) {
  mkdirSync(ARTIFACTS, { recursive: true });
  writeFileSync(join(ARTIFACTS, `${name}-counts.json`), JSON.stringify(counts));
}

/** What {@link writeCounts} kept, or one failure when the command never came that far. */
export function readCounts(name) {
  const file = join(ARTIFACTS, `${name}-counts.json`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8"));
  const counts = noCounts();
  addFailure(counts, name, "it did not come to an end");
  return counts;
}

/** Every failure by name, then the closing line. */
export function printCounts(counts) {
  for (const { name, message } of counts.failures) console.log(`\nFAILED: ${name}\n${message}`);
  console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
}
