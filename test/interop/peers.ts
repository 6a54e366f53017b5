import { appendFileSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const ARTIFACTS = new URL("../../artifacts/", import.meta.url);

/** Where builds of foreign peers are kept between runs, outside the checkout. */
export function peerCacheDir(peer: string): string {
  const base = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const directory = join(base, "cidcast", "peers", peer);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Says loudly that a peer is not to be had; the run fails unless test/interop/allowed-skips.json names it. Pass the result to `ctx.skip()`. */
export function peerMissing(peer: string, reason: string): string {
  mkdirSync(ARTIFACTS, { recursive: true });
  appendFileSync(new URL("interop-skips.jsonl", ARTIFACTS), `${JSON.stringify({ peer, reason })}\n`);
  return `${peer} was not to be had: ${reason}`;
}
