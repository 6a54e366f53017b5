import * as dagCbor from "@ipld/dag-cbor";
import * as dagPb from "@ipld/dag-pb";
import { UnixFS } from "ipfs-unixfs";
import { CID } from "multiformats/cid";
import { CidcastError, messageOf } from "../../core/index.ts";

const DAG_PB = 0x70;
const DAG_CBOR = 0x71;
const IDENTITY = 0x00;

/** What a block links to. */
export interface NodeLinks {
  readonly links: readonly CID[];
  /** Of a UnixFS file: child `i` holds its bytes [starts[i], starts[i + 1]). Undefined for anything else. */
  readonly starts: Float64Array | undefined;
}

/** A range of file bytes, [start, end). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const NO_LINKS: NodeLinks = { links: [], starts: undefined };

/** True when the block may link to others: everything else is a leaf and need not be looked into. */
export function mayHaveLinks(cid: CID): boolean {
  return cid.code === DAG_PB || cid.code === DAG_CBOR;
}

/** The block that an identity CID carries itself; undefined for every other CID. */
export function inlineBlock(cid: CID): Uint8Array | undefined {
  return cid.multihash.code === IDENTITY ? cid.multihash.digest : undefined;
}

/** The links of a verified block, in order. `CORRUPT_DAG` when it is not what its codec says. */
export function linksOf(cid: CID, bytes: Uint8Array): NodeLinks {
  try {
    if (cid.code === DAG_PB) return pbLinks(bytes);
    if (cid.code === DAG_CBOR) return { links: [...cborLinks(dagCbor.decode(bytes))], starts: undefined };
  } catch (cause) {
    throw new CidcastError("CORRUPT_DAG", `${cid.toString()} cannot be read: ${messageOf(cause)}`, { cause });
  }
  return NO_LINKS;
}

/** Children that hold a part of the range: first and last index. `last < first` when there is none. */
export function childrenIn(
  node: NodeLinks,
  range: ByteRange,
): { readonly first: number; readonly last: number } {
  if (node.starts === undefined) return { first: 0, last: node.links.length - 1 };
  const first = childAt(node.starts, range.start);
  return { first, last: Math.min(node.links.length - 1, childAt(node.starts, range.end - 1)) };
}

/** The range as child `index` counts it. */
export function rangeOfChild(node: NodeLinks, index: number, range: ByteRange): ByteRange {
  const start = node.starts?.[index];
  const end = node.starts?.[index + 1];
  if (start === undefined || end === undefined) return range;
  const from = Math.max(0, range.start - start);
  // A child of no bytes is still asked for with a range that is one.
  return { start: from, end: Math.max(from + 1, Math.min(range.end, end) - start) };
}

/** Index of the first child that ends after `offset`. */
function childAt(starts: Float64Array, offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle + 1] ?? Number.POSITIVE_INFINITY) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

function pbLinks(bytes: Uint8Array): NodeLinks {
  const node = dagPb.decode(bytes);
  const links = node.Links.map(link => link.Hash);
  return { links, starts: node.Data === undefined ? undefined : fileStarts(node.Data, links.length) };
}

/** Where the children of a file node begin; undefined when it is no file, or its sizes do not fit its links. */
function fileStarts(data: Uint8Array, links: number): Float64Array | undefined {
  let unixfs: UnixFS;
  try {
    unixfs = UnixFS.unmarshal(data);
  } catch {
    return undefined;
  }
  const isFile = unixfs.type === "file" || unixfs.type === "raw";
  if (!isFile || unixfs.blockSizes.length !== links) return undefined;
  const starts = new Float64Array(links + 1);
  let at = unixfs.data?.byteLength ?? 0;
  starts[0] = at;
  for (let i = 0; i < links; i++) {
    at += Number(unixfs.blockSizes[i]);
    starts[i + 1] = at;
  }
  return Number.isSafeInteger(at) ? starts : undefined;
}

function* cborLinks(value: unknown): Generator<CID> {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  const cid = CID.asCID(value);
  if (cid !== null) yield cid;
  else for (const inner of Object.values(value)) yield* cborLinks(inner);
}
