import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/core/index.ts";
import { peerCacheDir, peerMissing } from "./peers.ts";

/** A program of the system, or one unpacked outside of it. */
export interface DebianProgram {
  readonly path: string;
  /** Environment in which it finds its libraries. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Libraries that a program must have from the system it runs on. */
const FROM_SYSTEM = /^(libc6|libgcc-s1|libstdc\+\+6|libcrypt1)$/;

/**
 * A program from Debian's packages: the installed one, or one unpacked in the cache of peers with what it is linked with, and
 * with the packages `also`. A text says why there is none.
 */
export function findDebianProgram(
  peer: string,
  name: string,
  also: readonly string[] = [],
): DebianProgram | string {
  const installed = ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
    .map(folder => join(folder, name))
    .find(path => existsSync(path));
  if (installed !== undefined) return { path: installed, env: process.env };
  const directory = peerCacheDir(peer);
  const root = join(directory, "root");
  const placeOf = (): string | undefined =>
    ["usr/bin", "usr/sbin", "sbin"].map(folder => join(root, folder, name)).find(place => existsSync(place));
  try {
    if (placeOf() === undefined) {
      const packages = [peer, ...also, ...missingLibraries(peer)];
      execFileSync("apt-get", ["download", ...packages], { cwd: directory, stdio: "ignore" });
      for (const file of readdirSync(directory).filter(entry => entry.endsWith(".deb"))) {
        execFileSync("dpkg", ["-x", file, root], { cwd: directory, stdio: "ignore" });
      }
    }
    const path = placeOf();
    if (path === undefined) throw new Error(`${peer} has no ${name}`);
    const folders = ["usr/lib", "lib"].flatMap(folder =>
      existsSync(join(root, folder))
        ? readdirSync(join(root, folder))
            .filter(entry => entry.includes("linux-gnu"))
            .map(entry => join(root, folder, entry))
        : [],
    );
    return { path, env: { ...process.env, LD_LIBRARY_PATH: folders.join(":") } };
  } catch (error) {
    return peerMissing(peer, messageOf(error));
  }
}

/** The libraries among what a package needs that are not installed. */
function missingLibraries(name: string): string[] {
  const only = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
  const flags = ["--recurse", ...only.map(kind => `--no-${kind}`)];
  const listed = execFileSync("apt-cache", ["depends", ...flags, name], { encoding: "utf8" });
  const libraries = new Set(listed.match(/^lib[a-z0-9.+-]+$/gm));
  return [...libraries].filter(library => !FROM_SYSTEM.test(library) && !isInstalled(library));
}

function isInstalled(name: string): boolean {
  try {
    const state = execFileSync("dpkg-query", ["-W", "-f", "${db:Status-Status}", name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return state === "installed";
  } catch {
    // Debian does not know it as installed, or at all.
    return false;
  }
}
