/** What a `Range` header asks of a file: all of it, bytes [start, end), or nothing that exists. */
export type RangeAnswer =
  | { readonly kind: "full" }
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  | { readonly kind: "unsatisfiable" };

const FULL: RangeAnswer = { kind: "full" };
const UNSATISFIABLE: RangeAnswer = { kind: "unsatisfiable" };

/**
 * Reads a `Range` header. The first range in bytes is served, also of several (RFC 9110 section 15.3.7 lets a server send
 * fewer parts); another unit and what does not parse are passed over, and an empty file is always whole (section 14.1.1).
 */
export function parseRange(header: string | undefined, size: number): RangeAnswer {
  if (header === undefined || size === 0) return FULL;
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*(?:,[ \t]*(?:\d+-\d*|-\d+)[ \t]*)*$/i.exec(header);
  if (match === null) return FULL;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return FULL;
    const length = Number(last);
    if (length === 0) return UNSATISFIABLE;
    return { kind: "part", start: Math.max(0, size - length), end: size };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return FULL;
  if (start >= size) return UNSATISFIABLE;
  return { kind: "part", start, end: last === "" ? size : Math.min(size, Number(last) + 1) };
}
