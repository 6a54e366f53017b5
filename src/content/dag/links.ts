import { decode as decodeCbor } from "@ipld/dag-cbor";
import { decode as decodePb } from "@ipld/dag-pb";
import { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { DAG_CBOR, DAG_PB, RAW } from "./cid.ts";

/** True when blocks of this codec have links, so that a walk has to read them. */
export function mayHaveLinks(cid: CID): boolean {
  return cid.code !== RAW;
}

/** The CIDs a block links to, in order. `CORRUPT_DAG` when it cannot be decoded, `UNSUPPORTED_DAG` for codecs not read here. */
export function linksOf(cid: CID, bytes: Uint8Array): CID[] {
  if (cid.code === RAW) return [];
  try {
    if (cid.code === DAG_PB) return decodePb(bytes).Links.map(link => link.Hash);
    if (cid.code === DAG_CBOR) return linksIn(decodeCbor(bytes));
  } catch (cause) {
    throw new CidcastError("CORRUPT_DAG", `${cid.toString()} cannot be decoded`, { cause });
  }
  throw new CidcastError("UNSUPPORTED_DAG", `${cid.toString()} has codec 0x${cid.code.toString(16)}`);
}

function linksIn(value: unknown): CID[] {
  const links: CID[] = [];
  const rest: unknown[] = [value];
  while (rest.length > 0) {
    const next = rest.pop();
    const cid = CID.asCID(next);
    if (cid !== null) links.push(cid);
    else if (Array.isArray(next)) rest.push(...next.toReversed());
    else if (next !== null && typeof next === "object" && !(next instanceof Uint8Array)) {
      rest.push(...Object.values(next).toReversed());
    }
  }
  return links;
}
