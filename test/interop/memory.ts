import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What is in use after everything that is not has been thrown away, bytes: heap, and memory that the heap holds outside of it. */
export function retainedBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
