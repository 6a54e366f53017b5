import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** A scenario of a suite and how many of its checks passed. */
export interface Outcome {
  readonly scenario: string;
  readonly passed: number;
  readonly failed: number;
}

export interface SuiteRun {
  readonly outcomes: readonly Outcome[];
  /** What the program printed, for when something fails. */
  readonly output: string;
}

/** Runs a conformance suite against a server. `name` is its package. */
export async function runSuite(name: string, url: string, args: readonly string[]): Promise<SuiteRun> {
  const main = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), "dist/index.js");
  const child = spawn(process.execPath, [main, "server", "--url", url, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", chunk => (output += String(chunk)));
  await once(child, "close");
  const summary = output.split("=== SUMMARY ===")[1] ?? "";
  const lines = summary.matchAll(/^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed/gm);
  const outcomes = Array.from(lines, ([, scenario = "", passed, failed]) => ({
    scenario,
    passed: Number(passed),
    failed: Number(failed),
  }));
  return { outcomes, output };
}
