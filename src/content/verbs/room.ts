import { statfs } from "node:fs/promises";
import { CidcastError } from "../../core/index.ts";
import { storageError } from "../blockstore/file-io.ts";
import type { ContentContext } from "./context.ts";

/** Refuses what cannot fit before any of it is read. `STORAGE_FULL`. */
export async function checkRoom(
  { directory, limits }: Pick<ContentContext, "directory" | "limits">,
  totalBytes = 0,
): Promise<void> {
  if (directory === undefined) return;
  let free: number;
  try {
    const { bavail, bsize } = await statfs(directory);
    free = bavail * bsize;
  } catch (cause) {
    throw storageError(`The disk of ${directory} cannot be asked`, cause);
  }
  if (free - totalBytes < limits.minFreeBytes) {
    throw new CidcastError(
      "STORAGE_FULL",
      `The disk has ${free} bytes left, too few for ${totalBytes} more`,
      {
        details: { freeBytes: free, neededBytes: totalBytes + limits.minFreeBytes },
      },
    );
  }
}
