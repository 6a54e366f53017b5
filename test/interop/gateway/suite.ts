import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { peerCacheDir, peerMissing } from "../peers.ts";

const run = promisify(execFile);

/** Version of the public gateway-conformance suite that is run. */
export const SUITE_VERSION = "0.13.2";
const REPOSITORY = "https://github.com/ipfs/gateway-conformance";
/** Longest a build or a run may take, milliseconds: minutes on a small machine with an empty module cache. */
const TIMEOUT_MS = 10 * 60_000;
const OUTPUT_BYTES = 64 * 1024 * 1024;

/** How the tests of the suite ended, by name. */
export interface SuiteResult {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

/** The suite, ready to run. */
export interface Suite {
  /** File with the blocks of every fixture. */
  readonly fixtures: string;
  run(gatewayUrl: string, specs: readonly string[]): Promise<SuiteResult>;
}

/** Gets the suite's source (`GATEWAY_CONFORMANCE_DIR`, the cache, or its repository) and builds it; or tells why not. */
export async function conformanceSuite(): Promise<Suite | { readonly missing: string }> {
  const directory = peerCacheDir(`gateway-conformance-${SUITE_VERSION}`);
  const source = process.env["GATEWAY_CONFORMANCE_DIR"] ?? join(directory, "source");
  try {
    await run("go", ["version"]);
    if (!existsSync(source)) await clone(directory, source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const missing = peerMissing(
      "gateway-conformance",
      `no Go toolchain, or no source in ${source}: ${reason}`,
    );
    console.warn(`SKIPPED: ${missing}`);
    return { missing };
  }
  const binary = join(directory, "gateway-conformance");
  if (!existsSync(binary)) {
    const built = `${binary}.${process.pid}.tmp`;
    await run("nice", ["go", "build", "-o", built, "./cmd/gateway-conformance"], {
      cwd: source,
      timeout: TIMEOUT_MS,
      maxBuffer: OUTPUT_BYTES,
    });
    await rename(built, binary);
  }
  const work = await mkdtemp(join(tmpdir(), "cidcast-conformance-"));
  await run(binary, ["extract-fixtures", "--dir", work, "--merged"], { cwd: source });
  return {
    fixtures: join(work, "fixtures.car"),
    async run(gatewayUrl, specs) {
      const report = join(work, "report.json");
      const args = ["test", "--gateway-url", gatewayUrl, "--json", report, "--specs", specs.join(",")];
      // A failed test is an exit code too: the report tells which.
      await run(binary, args, { cwd: source, timeout: TIMEOUT_MS, maxBuffer: OUTPUT_BYTES }).catch(
        () => undefined,
      );
      return resultsOf(await readFile(report, "utf8"));
    },
  };
}

async function clone(directory: string, source: string): Promise<void> {
  const fresh = await mkdtemp(join(directory, "clone-"));
  await run("git", ["clone", "--depth", "1", "--branch", `v${SUITE_VERSION}`, REPOSITORY, fresh], {
    timeout: TIMEOUT_MS,
  });
  await rename(fresh, source);
}

function resultsOf(report: string): SuiteResult {
  const results = { pass: [] as string[], fail: [] as string[], skip: [] as string[] };
  for (const line of report.split("\n").filter(text => text.startsWith("{"))) {
    const event = JSON.parse(line) as { Action?: string; Test?: string };
    if (event.Test === undefined) continue;
    if (event.Action === "pass" || event.Action === "fail" || event.Action === "skip") {
      results[event.Action].push(event.Test);
    }
  }
  return { passed: results.pass, failed: results.fail, skipped: results.skip };
}
