import { type RequestItem, TO_END } from "@cidcast/protocols/content";
import { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { MAX_BLOCKS_PER_REQUEST, MAX_DAG_DEPTH } from "../limits.ts";
import type { TransferBlocks } from "../types.ts";
import {
  type ByteRange,
  childrenIn,
  inlineBlock,
  linksOf,
  mayHaveLinks,
  rangeOfChild,
} from "./node-links.ts";
import { keyOf, Visited } from "./visited.ts";

/** A block on its way to be sent: read already, or being read; undefined when it is not here. */
export interface WalkedBlock {
  readonly cid: CID;
  readonly bytes: Promise<Uint8Array | undefined>;
}

interface Place {
  readonly cid: CID;
  readonly range: ByteRange;
  readonly depth: number;
}

const WHOLE: ByteRange = { start: 0, end: TO_END };

/** The blocks that the items ask for, depth first, each once. Nodes are read on the way, leaves when their turn nears. */
export async function* walkItems(
  blocks: TransferBlocks,
  items: readonly RequestItem[],
): AsyncGenerator<WalkedBlock> {
  const sent = new Set<string>();
  const visited = new Visited();
  /** True at the first place of a block. */
  const isFirst = (cid: CID): boolean => {
    const before = sent.size;
    sent.add(keyOf(cid));
    if (sent.size > MAX_BLOCKS_PER_REQUEST) {
      throw new CidcastError("LIMIT_REACHED", `A request is for at most ${MAX_BLOCKS_PER_REQUEST} blocks`);
    }
    return sent.size > before;
  };
  for (const item of items) {
    const cid = decodeCid(item.cid);
    if (item.kind === "block") {
      if (isFirst(cid)) yield { cid, bytes: read(blocks, cid) };
      continue;
    }
    const stack: Place[] =
      item.kind === "subtree"
        ? [{ cid, range: item, depth: 0 }]
        : await markedChildren(blocks, cid, item.bitmap);
    for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
      const { cid, range, depth } = place;
      if (depth > MAX_DAG_DEPTH) {
        throw new CidcastError("LIMIT_REACHED", `A DAG is walked ${MAX_DAG_DEPTH} links deep at most`);
      }
      const inline = inlineBlock(cid);
      const first = inline === undefined && isFirst(cid);
      if (!mayHaveLinks(cid)) {
        if (first) yield { cid, bytes: read(blocks, cid) };
        continue;
      }
      if (!visited.enter(cid, range)) continue;
      const bytes = inline ?? (await read(blocks, cid));
      if (first) yield { cid, bytes: Promise.resolve(bytes) };
      if (bytes === undefined) continue;
      const node = linksOf(cid, bytes);
      const children = childrenIn(node, range);
      for (let i = children.last; i >= children.first; i--) {
        const child = node.links[i];
        if (child !== undefined)
          stack.push({ cid: child, range: rangeOfChild(node, i, range), depth: depth + 1 });
      }
    }
  }
}

/** The children whose bit is set, last one first. `CONTENT_NOT_FOUND` when the node is not here. */
async function markedChildren(blocks: TransferBlocks, cid: CID, bitmap: Uint8Array): Promise<Place[]> {
  const bytes = inlineBlock(cid) ?? (await blocks.get(cid));
  if (bytes === undefined) {
    throw new CidcastError(
      "CONTENT_NOT_FOUND",
      `${cid.toString()} is not here, so its children are not known`,
    );
  }
  const { links } = linksOf(cid, bytes);
  const places: Place[] = [];
  for (let i = links.length - 1; i >= 0; i--) {
    const child = links[i];
    if (child !== undefined && ((bitmap[i >> 3] ?? 0) & (1 << (i & 7))) !== 0) {
      places.push({ cid: child, range: WHOLE, depth: 1 });
    }
  }
  return places;
}

/** Reads a block; the promise may be dropped without harm. */
function read(blocks: TransferBlocks, cid: CID): Promise<Uint8Array | undefined> {
  const bytes = blocks.get(cid);
  bytes.catch(() => undefined);
  return bytes;
}

/** Reads a binary CID from a peer. `INVALID_CID` when it is none. */
export function decodeCid(bytes: Uint8Array): CID {
  try {
    return CID.decode(bytes);
  } catch (cause) {
    throw new CidcastError("INVALID_CID", "The bytes are not a CID", { cause });
  }
}
