import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf } from "../../../src/core/index.ts";
import { peerCacheDir, peerMissing } from "../peers.ts";

const run = promisify(execFile);

/** A Python with these packages, in a virtual environment that is kept between runs; a text says why there is none. */
export async function pythonWith(
  peer: string,
  packages: readonly string[],
): Promise<{ readonly path: string } | string> {
  const directory = join(peerCacheDir(peer), "venv");
  const path = join(directory, "bin", "python");
  try {
    // Written last: an installation that was broken off is begun anew.
    const done = join(directory, "done");
    if (!existsSync(done)) {
      await run("python3", ["-m", "venv", "--clear", directory]);
      await run(path, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]);
      execFileSync("touch", [done]);
    }
    return { path };
  } catch (error) {
    return peerMissing(peer, messageOf(error));
  }
}
