import * as dagCbor from "@ipld/dag-cbor";
import * as dagPb from "@ipld/dag-pb";
import { CID } from "multiformats/cid";
import { MAX_MEMBERS_READ } from "../limits.ts";

/** Types of UnixFS nodes that list others: a directory and a shard of one. @see https://specs.ipfs.tech/unixfs/ */
const DIRECTORY_TYPES: ReadonlySet<number | undefined> = new Set([1, 5]);
/** Field 1 of a UnixFS message, a varint: its type. */
const TYPE_FIELD = 0x08;
/** Depth to which values are looked through for links. */
const MAX_DEPTH = 16;

/** CIDs that a verified block says belong together: those of a directory, or what a record of links names. None of a file's parts. */
export function membersOf(cid: CID, bytes: Uint8Array): string[] {
  if (cid.code !== dagPb.code && cid.code !== dagCbor.code) return [];
  try {
    if (cid.code === dagCbor.code) return linksOf(dagCbor.decode(bytes));
    const { Data, Links } = dagPb.decode(bytes);
    if (Data?.[0] !== TYPE_FIELD || !DIRECTORY_TYPES.has(Data[1])) return [];
    return Links.slice(0, MAX_MEMBERS_READ).map(({ Hash }) => Hash.toString());
  } catch {
    // A block may be anything: it only tells nothing.
    return [];
  }
}

function linksOf(value: unknown, depth = 0, found: string[] = []): string[] {
  if (found.length >= MAX_MEMBERS_READ || depth > MAX_DEPTH) return found;
  const link = CID.asCID(value);
  if (link !== null) found.push(link.toString());
  else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    for (const inner of Object.values(value)) linksOf(inner, depth + 1, found);
  }
  return found;
}
