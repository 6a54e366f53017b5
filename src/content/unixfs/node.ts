import { decode, type PBLink } from "@ipld/dag-pb";
import type { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { DAG_PB, RAW } from "../dag/cid.ts";
import { decodeUnixFs, type UnixFsData, type UnixFsKind } from "./unixfs-data.ts";

/** A node of a file: its own bytes, then those of its children in order. */
export interface FileNode {
  readonly kind: "file";
  /** Bytes that stand in the node itself, before those of the children. */
  readonly data: Uint8Array;
  readonly links: readonly CID[];
  /** Where each child begins, from the start of this node; one more entry than links, the last is the size. */
  readonly starts: Float64Array;
  readonly size: number;
}

/** A directory in one block, or one shard of a large one. */
export interface DirectoryNode {
  readonly kind: "directory" | "hamt";
  readonly links: readonly PBLink[];
  /** Shards only: number of places, a power of two. */
  readonly fanout: number;
}

export type UnixFsNode = FileNode | DirectoryNode;

const EMPTY = new Uint8Array(0);
/** The largest shard there is in the wild is 256 wide; links name places with two or three hex digits. */
const MAX_FANOUT = 1024;
/** murmur3-x64-64, the hash of every shard. */
export const MURMUR3 = 0x22;

/** A file of one block. */
export function rawFile(bytes: Uint8Array): FileNode {
  return {
    kind: "file",
    data: bytes,
    links: [],
    starts: Float64Array.of(bytes.byteLength),
    size: bytes.byteLength,
  };
}

/** Decodes a block of a UnixFS DAG. `CORRUPT_DAG` when it contradicts itself, `UNSUPPORTED_DAG` when it is something else. */
export function decodeNode(cid: CID, bytes: Uint8Array): UnixFsNode {
  if (cid.code === RAW) return rawFile(bytes);
  if (cid.code !== DAG_PB) {
    throw new CidcastError(
      "UNSUPPORTED_DAG",
      `${cid.toString()} is no UnixFS node: codec 0x${cid.code.toString(16)}`,
    );
  }
  let links: PBLink[];
  let data: UnixFsData;
  try {
    const node = decode(bytes);
    links = node.Links;
    data = decodeUnixFs(node.Data ?? EMPTY);
  } catch (cause) {
    throw new CidcastError("CORRUPT_DAG", `${cid.toString()} cannot be decoded`, { cause });
  }
  return build(cid, links, data);
}

function build(cid: CID, links: PBLink[], data: UnixFsData): UnixFsNode {
  switch (data.kind) {
    case "file":
    case "raw":
      return fileNode(cid, links, data);
    case "symlink":
      // Never followed: a link is a small file that holds where it points.
      return rawFile(data.data);
    case "directory":
      return { kind: "directory", links, fanout: 0 };
    case "hamt":
      return { kind: "hamt", links, fanout: fanoutOf(cid, data) };
    default:
      throw unsupported(cid, data.kind);
  }
}

function unsupported(cid: CID, kind: UnixFsKind): CidcastError {
  return new CidcastError("UNSUPPORTED_DAG", `${cid.toString()} is a ${kind}, neither file nor directory`);
}

function fanoutOf(cid: CID, { hashType, fanout = 0 }: UnixFsData): number {
  const isPowerOfTwo = fanout >= 8 && Number.isInteger(Math.log2(fanout));
  if (hashType !== MURMUR3 || !isPowerOfTwo || fanout > MAX_FANOUT) {
    throw new CidcastError("UNSUPPORTED_DAG", `${cid.toString()} is a directory shard of an unknown form`);
  }
  return fanout;
}

function fileNode(cid: CID, links: PBLink[], { data, blockSizes, fileSize }: UnixFsData): FileNode {
  if (blockSizes.length !== links.length) {
    throw new CidcastError(
      "CORRUPT_DAG",
      `${cid.toString()} has ${links.length} links of ${blockSizes.length} sizes`,
    );
  }
  const starts = new Float64Array(links.length + 1);
  let at = data.byteLength;
  starts[0] = at;
  for (const [i, blockSize] of blockSizes.entries()) {
    at += blockSize;
    starts[i + 1] = at;
  }
  if (!Number.isSafeInteger(at) || (fileSize !== undefined && fileSize !== at)) {
    throw new CidcastError("CORRUPT_DAG", `${cid.toString()} has a size that is not the sum of its parts`);
  }
  return { kind: "file", data, links: links.map(link => link.Hash), starts, size: at };
}

/** The first child that ends after `offset`; the number of links when none does. */
export function childAt(node: FileNode, offset: number): number {
  let low = 0;
  let high = node.links.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((node.starts[middle + 1] ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
