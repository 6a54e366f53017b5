// `npm run bench -- NAME`: runs bench/NAME/run.ts with the checkout's Node.js.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled, nodeProgram, ROOT, run, runMain } from "./setup.mjs";

await runMain(async () => {
  const [name, ...args] = process.argv.slice(2);
  const names = readdirSync(join(ROOT, "bench")).filter(entry =>
    existsSync(join(ROOT, "bench", entry, "run.ts")),
  );
  if (name === undefined || !names.includes(name)) {
    console.error(`Which one? npm run bench -- ${names.join(" | ")}`);
    return 2;
  }
  await ensureInstalled();
  return run(nodeProgram(), [join("bench", name, "run.ts"), ...args]);
});
