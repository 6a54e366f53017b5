// Runs vitest and counts what it did.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./setup.mjs";

const ARTIFACTS = join(ROOT, "artifacts");

/** Runs the named vitest projects; resolves to what passed, failed and was skipped. */
export async function runVitest(projects, name, more = []) {
  mkdirSync(ARTIFACTS, { recursive: true });
  const file = join(ARTIFACTS, `${name}-report.json`);
  rmSync(file, { force: true });
  const code = await run("vitest", [
    "run",
    ...projects.flatMap(project => ["--project", project]),
    "--passWithNoTests",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
    ...more,
  ]);
  const counts = existsSync(file)
    ? countsOf(JSON.parse(readFileSync(file, "utf8")))
    : { passed: 0, failed: 0, skipped: 0 };
  // A file that cannot be loaded, or an error outside any test, fails the run without failing a test.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function countsOf(report) {
  const broken = report.testResults.filter(
    file => file.status === "failed" && file.assertionResults.every(t => t.status !== "failed"),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** Adds `more` to `counts`. */
export function addCounts(counts, more) {
  for (const key of ["passed", "failed", "skipped"]) counts[key] += more[key];
}

/** Keeps counts for a command that adds up several. */
export function writeCounts(name, counts) {
  mkdirSync(ARTIFACTS, { recursive: true });
  writeFileSync(join(ARTIFACTS, `${name}-counts.json`), JSON.stringify(counts));
}

/** What {@link writeCounts} kept, or one failure when the command never came that far. */
export function readCounts(name) {
  const file = join(ARTIFACTS, `${name}-counts.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { passed: 0, failed: 1, skipped: 0 };
}

/** The closing line. */
export function printCounts(counts) {
  console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
}
