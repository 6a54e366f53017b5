#!/usr/bin/env node
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { CliEnvironment } from "./environment.ts";
import { EXIT } from "./exit-codes.ts";
import { tuneHeap } from "./heap.ts";
import { runCli } from "./program.ts";

/** Time for the process to end by itself once its command is done, milliseconds. */
const EXIT_GRACE_MS = 500;

tuneHeap();
const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // Whoever asks twice does not want to wait.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    interrupt.abort();
  });
}
// `cidcast cat … | head`: the reader leaves, and that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
});

/** SIGHUP: of somebody who wants the settings read again, or of a terminal that was closed under the program. */
function onReload(listener: () => void): () => void {
  if (process.stdout.isTTY) return () => undefined;
  process.on("SIGHUP", listener);
  return () => void process.off("SIGHUP", listener);
}

const environment: CliEnvironment = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  version: versionOf(new URL("../../package.json", import.meta.url)),
  signal: interrupt.signal,
  onReload,
  // Loaded when needed: a verb that talks to a running node starts in a fraction of the time.
  openNode: async (config, options) => (await import("../node.ts")).createNode(config, options),
  openBrowser,
};
process.exitCode = await runCli(process.argv.slice(2), environment);
// Everything is closed by now: a handle that some library forgot must not keep the terminal waiting.
setTimeout(() => process.exit(), EXIT_GRACE_MS).unref();

function versionOf(file: URL): string {
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { readonly version: string };
  return version;
}

async function openBrowser(url: string): Promise<void> {
  const [program = "xdg-open", ...args] = { darwin: ["open"], win32: ["explorer"] }[
    process.platform as string
  ] ?? ["xdg-open"];
  const child = spawn(program, [...args, url], { stdio: "ignore", detached: true });
  await once(child, "spawn");
  child.unref();
}
