// Builds the web pages into web/dist when a source is newer than the last build. `--force` builds in any case.
import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OUT = join(ROOT, "web", "dist");
/** Written last into a build; its time is when the build began. */
const STAMP = join(OUT, ".built");
/** What the pages are made of. */
const SOURCES = [
  "web",
  "packages/client/src",
  "packages/player/src",
  "protocols",
  "vite.config.ts",
  "package-lock.json",
];

/** Time of the newest source, ms since 1970. A folder counts too: its time tells that a file was taken away. */
function newestSource(path) {
  const info = statSync(path);
  if (!info.isDirectory()) return info.mtimeMs;
  const children = readdirSync(path).filter(name => name !== "dist" && name !== "node_modules");
  // Moving a build into place changes the folder that it lies in.
  const own = path === join(ROOT, "web") ? 0 : info.mtimeMs;
  return Math.max(own, ...children.map(name => newestSource(join(path, name))));
}

/** True when web/dist lacks something that its sources have. */
export function webIsStale() {
  if (!existsSync(STAMP)) return true;
  const built = statSync(STAMP).mtimeMs;
  // A packed checkout has no lock file.
  const there = SOURCES.map(source => join(ROOT, source)).filter(path => existsSync(path));
  return there.some(path => newestSource(path) > built);
}

/** Builds the pages when needed. Returns whether it did. Several processes may call it at once. */
export async function buildWeb({ force = false } = {}) {
  if (!force && !webIsStale()) return false;
  const begun = new Date();
  const { build } = await import("vite");
  // Built aside and moved into place, so that a node that serves the pages never sees half of them.
  const aside = join(ROOT, "node_modules", ".cache", `web-${process.pid}`);
  const old = `${aside}-old`;
  await mkdir(aside, { recursive: true });
  try {
    process.env.CIDCAST_WEB_OUT = aside;
    await build({ configFile: join(ROOT, "vite.config.ts"), logLevel: "warn" });
    await writeFile(join(aside, ".built"), "");
    await utimes(join(aside, ".built"), begun, begun);
    await rename(OUT, old).catch(ignoreMissing);
    await rename(aside, OUT).catch(error => {
      // Another process has just put its build there: it is as new as ours.
      if (webIsStale()) throw error;
    });
  } finally {
    delete process.env.CIDCAST_WEB_OUT;
    await rm(aside, { recursive: true, force: true });
    await rm(old, { recursive: true, force: true });
  }
  return true;
}

function ignoreMissing(error) {
  if (error.code !== "ENOENT") throw error;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const built = await buildWeb({ force: process.argv.includes("--force") });
  console.log(built ? "web pages built" : "web pages are up to date");
}
