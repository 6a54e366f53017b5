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
  const info = mallInfo?.();
  return info === undefined ? undefined : Number(info.uordblks) + Number(info.hblkhd);
}

const mallInfo = find();

function find(): (() => MallInfo) | undefined {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
    const struct = koffi.struct(Object.fromEntries(FIELDS.map(field => [field, "size_t"])));
    return koffi.load(null).func("mallinfo2", struct, []) as () => MallInfo;
  } catch {
    return undefined;
  }
}
