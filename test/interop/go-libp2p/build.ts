import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { peerCacheDir, peerMissing } from "../peers.ts";

const run = promisify(execFile);

/** Longest the build may take, milliseconds: minutes on a small machine with an empty module cache. */
const BUILD_TIMEOUT_MS = 20 * 60_000;

/** The peer on go-libp2p, or why there is none. */
export interface GoPeer {
  readonly program: string | undefined;
  readonly missing: string;
}

/** Builds the peer of this folder; the program is kept between runs. */
export async function buildGoPeer(): Promise<GoPeer> {
  const program = join(peerCacheDir("go-libp2p"), "go-libp2p");
  const env = { ...process.env, GOFLAGS: "-mod=readonly" };
  try {
    await run("nice", ["go", "build", "-o", program, "."], {
      cwd: import.meta.dirname,
      env,
      timeout: BUILD_TIMEOUT_MS,
    });
    return { program, missing: "" };
  } catch (error) {
    return { program: undefined, missing: peerMissing("go-libp2p", String(error).slice(0, 300)) };
  }
}
