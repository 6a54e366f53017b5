import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The built pages. */
export const WEB_ROOT = join(ROOT, "web", "dist");
/** The clip that a new node shows. */
export const SAMPLE_FILE = join(ROOT, "samples", "sample-720p.mp4");

/** Compiled code of encoders: in the node's own directory, where nobody else can put any. */
export function codeCacheOf(dataDir: string): string {
  return resolve(dataDir, "cache", "code");
}
