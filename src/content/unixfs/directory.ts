import type { PBLink } from "@ipld/dag-pb";
import type { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { blockKey, RAW, shorten } from "../dag/cid.ts";
import { MAX_HAMT_DEPTH } from "../limits.ts";
import { HamtHash, prefixLength, prefixOf } from "./hamt-hash.ts";
import type { DirectoryNode } from "./node.ts";
import type { BlockOptions, NodeCache } from "./node-cache.ts";

/** A name in a directory and what it stands for. */
export interface NamedLink {
  readonly name: string;
  readonly cid: CID;
  /** Bytes of the blocks below, as the directory's writer counted them. */
  readonly totalBytes: number | undefined;
}

function named(link: PBLink, prefix: number): NamedLink {
  return { name: (link.Name ?? "").slice(prefix), cid: link.Hash, totalBytes: link.Tsize };
}

async function directory(nodes: NodeCache, cid: CID, options: BlockOptions): Promise<DirectoryNode> {
  const node = cid.code === RAW ? undefined : await nodes.load(cid, options);
  if (node === undefined || node.kind === "file") {
    throw new CidcastError("NOT_A_DIRECTORY", `${cid.toString()} is a file`);
  }
  return node;
}

/** What a name stands for in a directory. `PATH_NOT_FOUND` when it has no such name. `onShard` hears of the shards on the way. */
export async function lookup(
  nodes: NodeCache,
  root: CID,
  name: string,
  options: BlockOptions & { readonly onShard?: (cid: CID) => void } = {},
): Promise<CID> {
  const missing = (): CidcastError =>
    new CidcastError("PATH_NOT_FOUND", `${root.toString()} has no entry “${shorten(name)}”`);
  const hash = new HamtHash(name);
  let node = await directory(nodes, root, options);
  for (let depth = 0; node.kind === "hamt"; depth++) {
    if (depth >= MAX_HAMT_DEPTH) throw tooDeep(root);
    const prefix = prefixOf(hash.next(node.fanout), node.fanout);
    const found = node.links.find(link => link.Name === prefix + name);
    if (found !== undefined) return found.Hash;
    const shard = node.links.find(link => link.Name === prefix);
    if (shard === undefined) throw missing();
    options.onShard?.(shard.Hash);
    node = await shardOf(nodes, shard.Hash, node.fanout, options);
  }
  const link = node.links.find(link => link.Name === name);
  if (link === undefined) throw missing();
  return link.Hash;
}

/** Every name of a directory. Walks the shards of a large one as it is consumed. */
export async function* entries(
  nodes: NodeCache,
  root: CID,
  options: BlockOptions = {},
): AsyncGenerator<NamedLink> {
  const node = await directory(nodes, root, options);
  if (node.kind === "directory") for (const link of node.links) yield named(link, 0);
  else yield* shardEntries(nodes, node, { ...options, top: root, depth: 0, seen: new Set() });
}

async function* shardEntries(
  nodes: NodeCache,
  shard: DirectoryNode,
  options: BlockOptions & { readonly top: CID; readonly depth: number; readonly seen: Set<string> },
): AsyncGenerator<NamedLink> {
  if (options.depth >= MAX_HAMT_DEPTH) throw tooDeep(options.top);
  const prefix = prefixLength(shard.fanout);
  for (const link of shard.links) {
    options.signal?.throwIfAborted();
    const name = link.Name ?? "";
    if (name.length < prefix)
      throw new CidcastError("CORRUPT_DAG", "A directory shard has a name without a place");
    if (name.length > prefix) {
      yield named(link, prefix);
    } else {
      // Two places never hold the same names: a shard met twice is there to make the walk endless.
      const key = blockKey(link.Hash);
      if (options.seen.has(key))
        throw new CidcastError("CORRUPT_DAG", "A directory holds the same shard twice");
      options.seen.add(key);
      const child = await shardOf(nodes, link.Hash, shard.fanout, options);
      yield* shardEntries(nodes, child, { ...options, depth: options.depth + 1 });
    }
  }
}

async function shardOf(
  nodes: NodeCache,
  cid: CID,
  fanout: number,
  options: BlockOptions,
): Promise<DirectoryNode> {
  const node = await directory(nodes, cid, options);
  if (node.kind !== "hamt" || node.fanout !== fanout) {
    throw new CidcastError("CORRUPT_DAG", `${cid.toString()} is not the directory shard its parent says`);
  }
  return node;
}

function tooDeep(root: CID): CidcastError {
  return new CidcastError(
    "CORRUPT_DAG",
    `${root.toString()} has more than ${MAX_HAMT_DEPTH} levels of shards`,
  );
}
