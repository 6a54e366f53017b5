import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { peerCacheDir, peerMissing } from "../peers.ts";

const run = promisify(execFile);

/** The viewer on Pion, or why there is none. */
export interface PionProgram {
  readonly program: string | undefined;
  readonly missing: string;
}

/** Builds the viewer of this folder; modules and objects are kept between runs. */
export async function buildPion(): Promise<PionProgram> {
  const cache = peerCacheDir("pion");
  const program = join(cache, "pion");
  const env = {
    ...process.env,
    GOCACHE: join(cache, "build"),
    GOMODCACHE: join(cache, "modules"),
    GOFLAGS: "-mod=readonly",
  };
  try {
    await run("go", ["build", "-o", program, "."], { cwd: import.meta.dirname, env });
    return { program, missing: "" };
  } catch (error) {
    return { program: undefined, missing: peerMissing("pion", String(error).slice(0, 300)) };
  }
}
