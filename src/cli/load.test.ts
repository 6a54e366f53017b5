import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("..", import.meta.url));

/** Files that are loaded with `file`: what it imports before it runs, types aside. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const imports = /^(?:import|export) (?!type\b)[^;]*?from "(\.[^"]+)";/gms;
  for (const [, path = ""] of readFileSync(file, "utf8").matchAll(imports))
    loadedWith(resolve(dirname(file), path), seen);
  return seen;
}

test("a command loads none of the node's parts before it needs them", () => {
  const files = [...loadedWith(`${SRC}/cli/main.ts`)].map(file => relative(SRC, file));
  expect(files).toContain("cli/commands/content/add.ts");
  // What finds the running node, and the settings that say where.
  const allowed = /^(?:cli|core|config)\/|^store\/data-dir\.ts$/;
  expect(files.filter(file => !allowed.test(file))).toEqual([]);
});
