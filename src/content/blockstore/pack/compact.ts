import type { AbortOptions } from "../../../core/index.ts";
import { isBlockOf } from "../../dag/hash.ts";
import { keyOf } from "./block-table.ts";
import type { PackDirectory } from "./pack-directory.ts";
import type { PackEntry, PackFile } from "./pack-file.ts";

export interface CompactOptions extends AbortOptions {
  readonly directory: PackDirectory;
  /** Bytes moved at once. */
  readonly batchBytes: number;
  /** Writes blocks to another pack and takes those up there that `accept` still wants once they are written. */
  append(entries: readonly PackEntry[], accept: (entry: PackEntry) => boolean): Promise<unknown>;
}

/**
 * Moves what is left of a pack elsewhere and deletes it. The copies reach the disk before the pack goes, so a kill or
 * a power cut at any moment leaves each block at least once. A pack with a damaged block is kept as it is.
 */
export async function compactPack(pack: PackFile, options: CompactOptions): Promise<boolean> {
  const { directory, signal } = options;
  const written = new Set<PackFile>();
  let batch = new Map<PackEntry, number>();
  let bytes = 0;
  const move = async (): Promise<void> => {
    if (batch.size === 0) return;
    const moved = batch;
    batch = new Map();
    bytes = 0;
    // What was removed while it was copied stays removed.
    await options.append([...moved.keys()], entry =>
      directory.isAt(entry.key, pack.id, moved.get(entry) ?? -1),
    );
    written.add(directory.active);
  };
  for await (const { cid, offset, length } of pack.entries()) {
    signal?.throwIfAborted();
    const key = keyOf(cid);
    if (!directory.isAt(key, pack.id, offset)) continue;
    const block = await pack.read(offset, length);
    if (block === undefined || !isBlockOf(cid, block)) return false;
    batch.set({ cid, key, bytes: block }, offset);
    bytes += length;
    if (bytes >= options.batchBytes) await move();
  }
  await move();
  if (pack.liveBlocks > 0) return false;
  for (const target of written) await target.sync();
  await directory.drop(pack);
  return true;
}
