import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
const stories = readdirSync(EXAMPLES).filter(name => existsSync(`${EXAMPLES}/${name}/run.ts`));

test("there are examples", () => {
  expect(stories).toContain("embed");
});

test.each(stories)("the example %s does what it says", { timeout: 60_000 }, async name => {
  const child = spawn(process.execPath, [`${EXAMPLES}/${name}/run.ts`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", data => (output += String(data)));
  const [code] = await once(child, "exit");
  expect({ code, output }).toMatchObject({ code: 0 });
});
