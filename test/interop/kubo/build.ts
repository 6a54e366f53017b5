import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { peerCacheDir, peerMissing } from "../peers.ts";

const run = promisify(execFile);

/** Version of Kubo that is built and spoken to. */
export const KUBO_VERSION = "0.43.1";

/** Longest the build may take, milliseconds: minutes on a small machine with an empty module cache. */
const BUILD_TIMEOUT_MS = 20 * 60_000;

/** The replacements are those of Kubo's own go.mod, which do not carry over to a module that requires it. */
const GO_MOD = `module cidcast.test/kubo

go 1.26

require github.com/ipfs/kubo v${KUBO_VERSION}

replace github.com/quic-go/webtransport-go => github.com/quic-go/webtransport-go v0.11.1

replace github.com/quic-go/quic-go => github.com/quic-go/quic-go v0.60.0
`;

/** Path of the Kubo binary, built where it is not there yet; or why there is none, which is loud in the run's report. */
export async function kuboBinary(): Promise<{ readonly binary: string } | { readonly missing: string }> {
  const directory = peerCacheDir(`kubo-${KUBO_VERSION}`);
  const binary = join(directory, "ipfs");
  if (existsSync(binary)) return { binary };
  try {
    await run("go", ["version"]);
  } catch {
    const missing = peerMissing(
      "kubo",
      `no Go toolchain to build ${KUBO_VERSION} with, and none in ${binary}`,
    );
    console.warn(`SKIPPED: ${missing}`);
    return { missing };
  }
  await writeFile(join(directory, "go.mod"), GO_MOD);
  console.warn(`building Kubo ${KUBO_VERSION} (minutes, once)`);
  const built = `${binary}.${process.pid}.tmp`;
  await run("nice", ["go", "build", "-mod=mod", "-o", built, "github.com/ipfs/kubo/cmd/ipfs"], {
    cwd: directory,
    timeout: BUILD_TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
  });
  await rename(built, binary);
  return { binary };
}
