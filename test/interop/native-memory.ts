import { createRequire } from "node:module";
import type * as Koffi from "koffi";

/** What glibc tells of the memory that native code has asked for, all arenas. @see man 3 mallinfo2 */
interface MallInfo {
  /** Bytes in use. */
  readonly uordblks: bigint | number;
  /** Bytes of large blocks, each mapped by itself. */
  readonly hblkhd: bigint | number;
}

const FIELDS = [
  "arena",
  "ordblks",
  "smblks",
  "hblks",
  "hblkhd",
  "usmblks",
  "fsmblks",
  "uordblks",
  "fordblks",
  "keepcost",
] as const;

/** Memory that native code of this process has in use, bytes; undefined where the C library does not tell. */
export function nativeBytes(): number | undefined {
  const info = native?.info();
  return info === undefined ? undefined : Number(info.uordblks) + Number(info.hblkhd);
}

/**
 * What the process holds beside its heap, bytes: with what native code has freed given back to the system first, and
 * without the pages that the heap has taken and keeps for later.
 */
export function residentBytes(): number {
  native?.trim(0);
  const { rss, heapTotal } = process.memoryUsage();
  return rss - heapTotal;
}

const native = find();

function find() {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
    const struct = koffi.struct(Object.fromEntries(FIELDS.map(field => [field, "size_t"])));
    const library = koffi.load(null);
    return {
      info: library.func("mallinfo2", struct, []) as () => MallInfo,
      trim: library.func("malloc_trim", "int", ["size_t"]) as (keep: number) => number,
    };
  } catch {
    return undefined;
  }
}
