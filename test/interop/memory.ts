import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What is in use after everything that is not has been thrown away, bytes: heap, and buffers outside of it. */
export function retainedBytes(): number {
  setFlagsFromString("--expose-gc");
  // The first frees what finalisers then let go of.
  for (let i = 0; i < 2; i += 1) runInNewContext("gc")();
  // `external` also has what parsers and caches of Node.js keep for the next request: it goes up and down by megabytes.
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
