import { setImmediate } from "node:timers/promises";
import type { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError } from "../../core/index.ts";
import { blockKey, DAG_CBOR, DAG_PB, IDENTITY, RAW } from "../dag/cid.ts";
import { linksOf } from "../dag/links.ts";
import { CAR_MAX_REPEATED_BLOCKS, CAR_READ_AHEAD_BLOCKS, MAX_DAG_DEPTH } from "../limits.ts";
import { prefixLength } from "../unixfs/hamt-hash.ts";
import { childAt, decodeNode, type FileNode, type UnixFsNode } from "../unixfs/node.ts";
import type { DagBlock } from "./codec.ts";

/** Bytes of a file, as `entity-bytes` names them: both ends are part of it, negative ones count from the end. */
export interface EntityBytes {
  readonly from: number;
  /** Undefined: to the end. */
  readonly to: number | undefined;
}

/** Which blocks of a DAG are wanted. @see https://specs.ipfs.tech/http-gateways/trustless-gateway/#dag-scope-request-query-parameter */
export interface DagSelection extends AbortOptions {
  /** `block`: the one at the end of the path; `entity`: the file, or what lists the directory; `all`: everything below. */
  readonly scope?: "block" | "entity" | "all";
  /** Of a file and scope `entity`: the part that is wanted. */
  readonly bytes?: EntityBytes | undefined;
  /** True: a block comes as often as it stands in the DAG. */
  readonly duplicates?: boolean;
}

interface Place {
  readonly cid: CID;
  readonly depth: number;
  /** Of an entity's file: the bytes wanted of what is below. Undefined: all. */
  readonly range: { readonly start: number; readonly end: number } | undefined;
}

/** Blocks read without a pause for others. */
const STEPS_PER_TURN = 64;

/** The blocks of a path, then those that are selected below its end, depth first, each verified by `read`. */
export async function* selectBlocks(
  init: {
    readonly path: readonly CID[];
    readonly end: CID;
    readonly read: (cid: CID) => Promise<Uint8Array>;
  },
  selection: DagSelection,
): AsyncGenerator<DagBlock> {
  const { scope = "all", duplicates = false, signal } = selection;
  const seen = new Set<string>();
  const entered = new Set<string>();
  /** True when the block is to be given out: identity CIDs never are. */
  const isDue = (cid: CID): boolean => {
    if (cid.multihash.code === IDENTITY) return false;
    if (duplicates) return true;
    const before = seen.size;
    seen.add(blockKey(cid));
    return seen.size > before;
  };
  for (const cid of init.path) if (isDue(cid)) yield { cid, bytes: await init.read(cid) };

  const stack: Place[] = [{ cid: init.end, depth: 0, range: undefined }];
  const ahead = new Map<string, Promise<Uint8Array>>();
  /** Leaves that come next are read while the block before is on its way out. */
  const readAhead = (): void => {
    const lowest = Math.max(0, stack.length - CAR_READ_AHEAD_BLOCKS);
    for (let i = stack.length - 1; i >= lowest; i--) {
      const cid = stack[i]?.cid;
      if (cid?.code !== RAW || cid.multihash.code === IDENTITY) continue;
      const key = blockKey(cid);
      if (ahead.has(key) || (!duplicates && entered.has(key))) continue;
      const bytes = init.read(cid);
      // Whoever comes to the leaf gets the error; until then it is nobody's.
      bytes.catch(() => undefined);
      ahead.set(key, bytes);
    }
  };
  for (let steps = 1; stack.length > 0; steps++) {
    const place = stack.pop();
    if (place === undefined) return;
    const { cid, depth } = place;
    signal?.throwIfAborted();
    if (steps % STEPS_PER_TURN === 0) await setImmediate();
    if (duplicates && steps > CAR_MAX_REPEATED_BLOCKS) {
      throw new CidcastError(
        "LIMIT_REACHED",
        `With repeats at most ${CAR_MAX_REPEATED_BLOCKS} blocks are sent`,
      );
    }
    if (depth > MAX_DAG_DEPTH) {
      throw new CidcastError("CORRUPT_DAG", `${init.end.toString()} is deeper than ${MAX_DAG_DEPTH} links`);
    }
    const due = isDue(cid);
    // A node that was gone into whole is done; one of which a part was wanted may be met again.
    const key = blockKey(cid);
    if (!duplicates && entered.has(key)) continue;
    if (place.range === undefined && cid.multihash.code !== IDENTITY) entered.add(key);
    const reading =
      cid.multihash.code === IDENTITY ? cid.multihash.digest : (ahead.get(key) ?? init.read(cid));
    ahead.delete(key);
    readAhead();
    const bytes = await reading;
    if (due) yield { cid, bytes };
    if (scope === "block") continue;
    const below = scope === "all" ? allBelow(place, bytes) : entityBelow(place, bytes, selection.bytes);
    for (let i = below.length - 1; i >= 0; i--) {
      const next = below[i];
      if (next !== undefined) stack.push(next);
    }
  }
}

function allBelow({ cid, depth }: Place, bytes: Uint8Array): Place[] {
  if (cid.code !== DAG_PB && cid.code !== DAG_CBOR) return [];
  return linksOf(cid, bytes).map(link => ({ cid: link, depth: depth + 1, range: undefined }));
}

/** What is below of a file, or of the shards of a directory; a document and a directory's entries are entities of their own. */
function entityBelow(place: Place, bytes: Uint8Array, wanted: EntityBytes | undefined): Place[] {
  const { cid, depth } = place;
  if (cid.code !== DAG_PB) return [];
  let node: UnixFsNode;
  try {
    node = decodeNode(cid, bytes);
  } catch (error) {
    // At the end of a path a node of another kind is an entity of one block.
    if (depth === 0) return [];
    throw error;
  }
  if (node.kind === "file") return fileBelow(node, place, wanted);
  if (node.kind === "directory") return [];
  const prefix = prefixLength(node.fanout);
  return node.links
    .filter(link => (link.Name ?? "").length === prefix)
    .map(link => ({ cid: link.Hash, depth: depth + 1, range: undefined }));
}

function fileBelow(node: FileNode, { depth, range }: Place, wanted: EntityBytes | undefined): Place[] {
  const { start, end } = range ?? (depth === 0 ? rangeOf(wanted, node.size) : { start: 0, end: node.size });
  if (end <= start && node.size > 0) return [];
  const first = childAt(node, start);
  const last = Math.min(childAt(node, end - 1), node.links.length - 1);
  const below: Place[] = [];
  for (let i = first; i <= last; i++) {
    const cid = node.links[i];
    const from = node.starts[i];
    const to = node.starts[i + 1];
    if (cid === undefined || from === undefined || to === undefined) continue;
    const whole = start <= from && end >= to;
    below.push({
      cid,
      depth: depth + 1,
      range: whole ? undefined : { start: Math.max(0, start - from), end: Math.min(end, to) - from },
    });
  }
  return below;
}

/** Bytes [start, end) of a file of that size; nothing where the range lies outside. */
function rangeOf(
  wanted: EntityBytes | undefined,
  size: number,
): { readonly start: number; readonly end: number } {
  if (wanted === undefined) return { start: 0, end: size };
  const { from, to } = wanted;
  const start = Math.max(0, from < 0 ? size + from : from);
  const last = to === undefined ? size - 1 : to < 0 ? size + to : Math.min(to, size - 1);
  return { start, end: Math.max(start, last + 1) };
}
