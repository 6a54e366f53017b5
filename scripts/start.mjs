// `npm start`: installs and builds what is missing, then runs the node until it is told to stop.
import { join } from "node:path";
import { ensureInstalled, nodeProgram, ROOT, run, runMain } from "./setup.mjs";

await runMain(async () => {
  await ensureInstalled();
  const node = nodeProgram();
  const built = await run(node, ["scripts/build-web.mjs"]);
  if (built !== 0) throw new Error("The web pages could not be built: see the messages above");
  return run(node, ["src/cli/main.ts", "start", ...process.argv.slice(2)], {
    // Code compiled once is not compiled again at the next start.
    env: { NODE_COMPILE_CACHE: join(ROOT, "node_modules", ".cache", "compile") },
    onSpawn(child) {
      // A terminal sends Ctrl-C to both; the node ends by itself, and its exit code is ours.
      process.on("SIGINT", () => undefined);
      process.on("SIGTERM", () => child.kill("SIGTERM"));
    },
  });
});
