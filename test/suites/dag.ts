import { createHash } from "node:crypto";
import * as dagCbor from "@ipld/dag-cbor";
import * as dagPb from "@ipld/dag-pb";
import { importBytes } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import type { TransferBlocks } from "../../src/transfer/index.ts";

/** Bytes that are the same in every run, and differ everywhere within it. */
export function patternBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Adds a file with raw leaves of `chunkBytes`, `fanout` links per node; gives its root. */
export async function addFile(
  blocks: TransferBlocks,
  bytes: Uint8Array,
  { chunkBytes = 1024, fanout = 4 }: { readonly chunkBytes?: number; readonly fanout?: number } = {},
): Promise<CID> {
  const sink = {
    put: async (cid: CID, block: unknown) => {
      if (block instanceof Uint8Array) await blocks.put(cid, block);
      return cid;
    },
  };
  const { cid } = await importBytes(bytes, sink, {
    rawLeaves: true,
    cidVersion: 1,
    reduceSingleLeafToSelf: true,
    chunker: fixedSize({ chunkSize: chunkBytes }),
    layout: balanced({ maxChildrenPerNode: fanout }),
  });
  return cid;
}

/** Adds a block of any codec; gives its CID. */
export async function addBlock(blocks: TransferBlocks, codec: number, bytes: Uint8Array): Promise<CID> {
  const cid = CID.createV1(codec, createDigest(0x12, createHash("sha256").update(bytes).digest()));
  await blocks.put(cid, bytes);
  return cid;
}

/** Adds a dag-cbor block. */
export function addCbor(blocks: TransferBlocks, value: unknown): Promise<CID> {
  return addBlock(blocks, dagCbor.code, dagCbor.encode(value));
}

/** Adds a dag-pb node that is no UnixFS, with these links. */
export function addPb(blocks: TransferBlocks, links: readonly CID[]): Promise<CID> {
  const node = { Links: links.map(Hash => dagPb.createLink("", 0, Hash)) };
  return addBlock(blocks, dagPb.code, dagPb.encode(node));
}
