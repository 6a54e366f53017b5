import type { CID } from "multiformats/cid";
import { type AbortOptions, isCidcastError } from "../../core/index.ts";
import { sniff } from "../add/content-type.ts";
import { parseRef, RAW } from "../dag/cid.ts";
import { walkDag } from "../dag/walk.ts";
import { LS_CONCURRENCY, MAX_PATH_DEPTH, SNIFF_BYTES } from "../limits.ts";
import type { ContentFile, ContentStat, DirectoryEntry } from "../types.ts";
import { entries, lookup, type NamedLink, UnixFsFile } from "../unixfs/index.ts";
import type { ContentContext } from "./context.ts";

/** Follows the path of a reference to the CID at its end. */
export async function resolveRef(context: ContentContext, ref: string, options: AbortOptions): Promise<CID> {
  const { cid: root, path } = parseRef(ref);
  let cid = root;
  for (const [index, name] of path.entries()) {
    context.denylist.check(cid, path.slice(index).join("/"));
    cid = await lookup(context.nodes, cid, name, { ...options, root: root.toString() });
  }
  context.denylist.check(cid);
  return cid;
}

/** Whether a CID is a file or a directory. */
export async function kindOf(
  context: ContentContext,
  cid: CID,
  options: AbortOptions,
): Promise<"file" | "directory"> {
  if (cid.code === RAW) return "file";
  const node = await context.nodes.load(cid, { ...options, root: cid.toString() });
  return node.kind === "file" ? "file" : "directory";
}

/** Opens the file at the end of a reference, held until it is closed. */
export async function openFile(
  context: ContentContext,
  ref: string,
  options: AbortOptions,
): Promise<ContentFile> {
  const cid = await resolveRef(context, ref, options);
  const hold = context.holds.hold(cid);
  try {
    return await UnixFsFile.open(cid, context.nodes, hold, options);
  } catch (error) {
    hold.release();
    throw error;
  }
}

/** Entries of a directory in its own order, the kind of some looked up ahead. */
export async function* listDirectory(
  context: ContentContext,
  ref: string,
  options: AbortOptions,
): AsyncGenerator<DirectoryEntry> {
  const cid = await resolveRef(context, ref, options);
  using _hold = context.holds.hold(cid);
  const ahead: Promise<DirectoryEntry>[] = [];
  for await (const link of entries(context.nodes, cid, { ...options, root: cid.toString() })) {
    const described = describe(context, link, options);
    // Whoever comes to the entry gets the error; until then it is nobody's.
    described.catch(() => undefined);
    ahead.push(described);
    const first = ahead.length >= LS_CONCURRENCY ? ahead.shift() : undefined;
    if (first !== undefined) yield await first;
  }
  for (const entry of ahead) yield await entry;
}

async function describe(
  { nodes, denylist }: ContentContext,
  { name, cid, totalBytes }: NamedLink,
  options: AbortOptions,
): Promise<DirectoryEntry> {
  const text = cid.toString();
  // What is on a denylist is named, and not looked at.
  if (cid.code === RAW || denylist.has(cid)) return { name, cid: text, type: "file", size: totalBytes };
  const node = await nodes.load(cid, { ...options, root: text });
  if (node.kind === "file") return { name, cid: text, type: "file", size: node.size };
  return { name, cid: text, type: "directory", size: undefined };
}

/** Kind and size of what a reference names, and how much of it is here. Asks the network for the root alone. */
export async function statRef(
  context: ContentContext,
  ref: string,
  options: AbortOptions,
): Promise<ContentStat> {
  const { store, blocks, nodes } = context;
  const cid = await resolveRef(context, ref, options);
  using _hold = context.holds.hold(cid);
  const node = await nodes.load(cid, { ...options, root: cid.toString() });
  const seen = store.newSet();
  let localBlocks = 0;
  let complete = true;
  await walkDag(cid, {
    ...options,
    visit: async step => {
      if (!(await store.has(step.cid))) complete = false;
      const isNew = seen.add(step.cid);
      if (isNew) localBlocks++;
      return isNew;
    },
    read: async cid => ((await blocks.has(cid)) ? blocks.get(cid, options) : undefined),
  });
  const type = node.kind === "file" ? "file" : "directory";
  return { cid: cid.toString(), type, size: await contentSize(context, cid, options), localBlocks, complete };
}

/** Bytes of file content of a file, or of all files of a directory as far as their nodes are here. */
export async function contentSize(
  context: ContentContext,
  root: CID,
  options: AbortOptions,
): Promise<number> {
  const known = new Map<string, number>();
  const sizeOf = async (cid: CID, totalBytes: number | undefined, depth: number): Promise<number> => {
    if (cid.code === RAW && totalBytes !== undefined) return totalBytes;
    const text = cid.toString();
    const before = known.get(text);
    if (before !== undefined) return before;
    if (depth > MAX_PATH_DEPTH || (depth > 0 && !(await context.blocks.has(cid)))) return 0;
    const node = await context.nodes.load(cid, options);
    let size = 0;
    if (node.kind === "file") size = node.size;
    else {
      for await (const link of entries(context.nodes, cid, options)) {
        size += await sizeOf(link.cid, link.totalBytes, depth + 1);
      }
    }
    known.set(text, size);
    return size;
  };
  return sizeOf(root, undefined, 0);
}

/** Content type of the file at the end of a reference, by its first bytes and its name. */
export async function typeOf(
  context: ContentContext,
  ref: string,
  options: AbortOptions & { readonly name?: string },
): Promise<string> {
  const name = options.name ?? parseRef(ref).path.at(-1);
  await using file = await openFile(context, ref, options);
  return sniff(await headOf(file, options), { name });
}

/** The first bytes of a file, fewer where a block of them is nowhere. */
async function headOf(file: ContentFile, options: AbortOptions): Promise<Uint8Array> {
  const head: Uint8Array[] = [];
  try {
    for await (const chunk of file.stream({ ...options, start: 0, end: Math.min(SNIFF_BYTES, file.size) })) {
      head.push(chunk);
    }
  } catch (error) {
    if (!isCidcastError(error, "CONTENT_NOT_FOUND")) throw error;
  }
  return Buffer.concat(head);
}
