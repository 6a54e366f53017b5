import * as dagPb from "@ipld/dag-pb";
import type { CID } from "multiformats/cid";
import { mayHaveLinks } from "./node-links.ts";

const DAG_PB = 0x70;

/** Bytes of all blocks below a root as its links say, which nobody has checked; undefined where they do not say. */
export function totalBytesOf(root: CID, bytes: Uint8Array): number | undefined {
  if (!mayHaveLinks(root)) return bytes.byteLength;
  if (root.code !== DAG_PB) return undefined;
  let total = bytes.byteLength;
  for (const link of dagPb.decode(bytes).Links) {
    if (link.Tsize === undefined) return undefined;
    total += link.Tsize;
  }
  return Number.isSafeInteger(total) ? total : undefined;
}
