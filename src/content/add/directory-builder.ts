import { encode, type PBLink, prepare } from "@ipld/dag-pb";
import { DAG_PB } from "../dag/cid.ts";
import { HamtHash, prefixOf } from "../unixfs/hamt-hash.ts";
import { MURMUR3 } from "../unixfs/node.ts";
import { encodeDirectoryData, encodeShardData } from "../unixfs/unixfs-data.ts";
import type { BlockSink } from "./block-sink.ts";
import { DirectoryTree } from "./directory-tree.ts";
import type { BuiltNode } from "./file-builder.ts";
import { CID_PROFILE } from "./profile.ts";

interface Entry {
  readonly name: string;
  readonly node: BuiltNode;
}

/** Writes a directory with everything below it, and gives back its root. */
export async function buildDirectory(tree: DirectoryTree, sink: BlockSink): Promise<BuiltNode> {
  const entries: Entry[] = [];
  for (const [name, child] of tree.entries) {
    if (child === "reserved") throw new Error("a reserved path was never filled");
    entries.push({ name, node: child instanceof DirectoryTree ? await buildDirectory(child, sink) : child });
  }
  await sink.room();
  const estimate = entries.reduce(
    (sum, { name, node }) => sum + Buffer.byteLength(name) + node.cid.bytes.byteLength,
    0,
  );
  return estimate > CID_PROFILE.hamtThresholdBytes ? buildHamt(entries, sink) : buildFlat(entries, sink);
}

function link(name: string, node: BuiltNode): PBLink {
  return { Name: name, Hash: node.cid, Tsize: node.totalBytes };
}

function write(sink: BlockSink, data: Uint8Array, links: PBLink[]): Pick<BuiltNode, "cid" | "totalBytes"> {
  const block = encode(prepare({ Data: data, Links: links }));
  const totalBytes = links.reduce((sum, { Tsize = 0 }) => sum + Tsize, block.byteLength);
  return { cid: sink.write(DAG_PB, block), totalBytes };
}

function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { node }) => sum + node.fileSize, 0);
}

function buildFlat(entries: readonly Entry[], sink: BlockSink): BuiltNode {
  const links = entries.map(({ name, node }) => link(name, node));
  return { ...write(sink, encodeDirectoryData(), links), fileSize: sizeOf(entries) };
}

type Place = { readonly hash: HamtHash; readonly entry: Entry };

async function buildHamt(entries: readonly Entry[], sink: BlockSink): Promise<BuiltNode> {
  const places = entries.map(entry => ({ hash: new HamtHash(entry.name), entry }));
  return { ...(await buildShard(places, sink)), fileSize: sizeOf(entries) };
}

/** One shard: a place that one name has holds it, a place of several a shard of the next level. */
async function buildShard(
  places: readonly Place[],
  sink: BlockSink,
): Promise<Pick<BuiltNode, "cid" | "totalBytes">> {
  const fanout = CID_PROFILE.hamtFanout;
  const taken = new Map<number, Place[]>();
  for (const place of places) {
    const at = place.hash.next(fanout);
    const there = taken.get(at);
    if (there === undefined) taken.set(at, [place]);
    else there.push(place);
  }
  const bits = Buffer.alloc(fanout / 8);
  const links: PBLink[] = [];
  for (const at of [...taken.keys()].toSorted((a, b) => a - b)) {
    // The bitfield is one big-endian number.
    const byte = bits.length - 1 - (at >> 3);
    bits[byte] = (bits[byte] ?? 0) | (1 << (at & 7));
    const there = taken.get(at) ?? [];
    const [first] = there;
    const prefix = prefixOf(at, fanout);
    if (there.length === 1 && first !== undefined) {
      links.push(link(prefix + first.entry.name, first.entry.node));
    } else {
      const shard = await buildShard(there, sink);
      links.push({ Name: prefix, Hash: shard.cid, Tsize: shard.totalBytes });
    }
  }
  await sink.room();
  const used = bits.subarray(bits.findIndex(byte => byte !== 0));
  return write(sink, encodeShardData(used, MURMUR3, fanout), links);
}
