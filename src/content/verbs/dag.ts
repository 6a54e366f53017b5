import * as dagCbor from "@ipld/dag-cbor";
import { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError } from "../../core/index.ts";
import type { DagBlock } from "../car/codec.ts";
import { type DagSelection, selectBlocks } from "../car/select.ts";
import { DAG_CBOR, IDENTITY, parseRef, shorten } from "../dag/cid.ts";
import type { DagExport, PathOptions, ResolvedPath } from "../types.ts";
import { type BlockSource, lookup, NodeCache } from "../unixfs/index.ts";
import type { ContentContext } from "./context.ts";

/** Follows a path through directories, and through the maps and lists of dag-cbor documents. `PATH_NOT_FOUND`. */
export async function resolvePath(
  context: ContentContext,
  ref: string,
  { local = false, ...options }: PathOptions,
): Promise<ResolvedPath> {
  const { cid: root, path: names } = parseRef(ref);
  const reading = { ...options, root: root.toString() };
  const source = local ? localBlocks(context) : context.blocks;
  const nodes = local ? new NodeCache(source) : context.nodes;
  const roots = [root];
  const path: CID[] = [];
  let end = root;
  for (let at = 0; at < names.length; ) {
    context.denylist.check(end, names.slice(at).join("/"));
    path.push(end);
    if (end.code === DAG_CBOR) {
      const found = followDocument(await blockOf(source, end, reading), names.slice(at), end);
      end = found.cid;
      at += found.names;
    } else {
      end = await lookup(nodes, end, names[at] ?? "", {
        ...reading,
        onShard: shard => path.push(shard),
      });
      at++;
    }
    roots.push(end);
  }
  context.denylist.check(end);
  return { end, roots, path };
}

/** Resolves a reference and reads the blocks that are selected, from here or else from the network. */
export async function exportDag(
  context: ContentContext,
  ref: string,
  selection: DagSelection,
): Promise<DagExport> {
  const resolved = await resolvePath(context, ref, selection);
  const options = { signal: selection.signal, root: resolved.roots[0]?.toString() };
  const read = (cid: CID): Promise<Uint8Array> => context.blocks.block(cid, options);
  return { ...resolved, blocks: held(context, resolved, selectBlocks({ ...resolved, read }, selection)) };
}

async function* held(
  { holds }: ContentContext,
  { end }: ResolvedPath,
  blocks: AsyncIterable<DagBlock>,
): AsyncGenerator<DagBlock> {
  using _hold = holds.hold(end);
  yield* blocks;
}

/** One verified block; an identity CID is its own. */
export async function blockOf(
  blocks: BlockSource,
  cid: CID,
  options: AbortOptions & { readonly root?: string | undefined },
): Promise<Uint8Array> {
  return cid.multihash.code === IDENTITY ? cid.multihash.digest : blocks.block(cid, options);
}

/** The blocks that are here. */
function localBlocks({ blocks }: ContentContext): BlockSource {
  return {
    async block(cid, options) {
      const bytes = await blocks.get(cid, options);
      if (bytes !== undefined) return bytes;
      throw new CidcastError("CONTENT_NOT_FOUND", `${cid.toString()} is not here`);
    },
  };
}

/** Walks into a document as far as the first link; how many names that took. */
function followDocument(
  bytes: Uint8Array,
  names: readonly string[],
  document: CID,
): { readonly cid: CID; readonly names: number } {
  let value: unknown;
  try {
    value = dagCbor.decode(bytes);
  } catch (cause) {
    throw new CidcastError("CORRUPT_DAG", `${document.toString()} cannot be decoded`, { cause });
  }
  for (const [index, name] of names.entries()) {
    const holder: unknown = value;
    const isOwn = typeof holder === "object" && holder !== null && Object.hasOwn(holder, name);
    // `Object.hasOwn` has found the name.
    value = isOwn ? (holder as Record<string, unknown>)[name] : undefined;
    const link = CID.asCID(value);
    if (link !== null) return { cid: link, names: index + 1 };
    if (value === undefined) break;
  }
  const name = shorten(names.join("/"));
  throw new CidcastError("PATH_NOT_FOUND", `${document.toString()} has no link at “${name}”`);
}
