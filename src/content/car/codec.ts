import * as dagCbor from "@ipld/dag-cbor";
import { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { entryHead } from "../blockstore/pack/car.ts";
import { CAR_MAX_ROOTS } from "../limits.ts";

/** A block with its name. */
export interface DagBlock {
  readonly cid: CID;
  /** Not to be changed. */
  readonly bytes: Uint8Array;
}

/** What a CAR file begins with. @see https://ipld.io/specs/transport/car/carv1/#header */
export function carHeader(roots: readonly CID[]): Uint8Array {
  const header = dagCbor.encode({ roots: [...roots], version: 1 });
  return Buffer.concat([varint(header.byteLength), header]);
}

/** A block as it stands in a CAR file: in two pieces, so that its bytes are not copied. */
export function carEntry({ cid, bytes }: DagBlock): readonly [Uint8Array, Uint8Array] {
  return [entryHead(cid, bytes.byteLength), bytes];
}

/** Reads a header's roots and version. `INVALID_CAR` when it is none. */
export function parseCarHeader(bytes: Uint8Array): {
  readonly version: number;
  readonly roots: readonly CID[];
} {
  let header: unknown;
  try {
    header = dagCbor.decode(bytes);
  } catch (cause) {
    throw new CidcastError("INVALID_CAR", "The CAR's header cannot be decoded", { cause });
  }
  if (typeof header !== "object" || header === null || !("version" in header)) {
    throw new CidcastError("INVALID_CAR", "The CAR's header names no version");
  }
  const { version } = header;
  const given: unknown = "roots" in header ? header.roots : [];
  const roots = Array.isArray(given) ? given.map(root => CID.asCID(root)) : [null];
  if (!roots.every(root => root !== null)) {
    throw new CidcastError("INVALID_CAR", "The CAR's roots are not a list of CIDs");
  }
  if (version !== 1 && version !== 2) throw new CidcastError("INVALID_CAR", "CAR is read in version 1 and 2");
  if (roots.length > CAR_MAX_ROOTS) {
    throw new CidcastError("INVALID_CAR", `A CAR has at most ${CAR_MAX_ROOTS} roots`);
  }
  return { version, roots };
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  while (rest > 127) {
    out.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return Uint8Array.from(out);
}
