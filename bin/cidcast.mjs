#!/usr/bin/env node
// The `cidcast` command of a checkout: runs on the checkout's own Node.js, whatever version starts it.
import { join } from "node:path";
import { ensureInstalled, nodeProgram, ROOT, run, runMain } from "../scripts/setup.mjs";

await runMain(async () => {
  await ensureInstalled();
  return run(nodeProgram(), [join(ROOT, "src", "cli", "main.ts"), ...process.argv.slice(2)], {
    cwd: process.cwd(),
    onSpawn(child) {
      // A terminal sends Ctrl-C to both; the command ends by itself, and its exit code is ours.
      process.on("SIGINT", () => undefined);
      process.on("SIGTERM", () => child.kill("SIGTERM"));
    },
  });
});
