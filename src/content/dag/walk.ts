import { setImmediate } from "node:timers/promises";
import type { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError } from "../../core/index.ts";
import { MAX_DAG_DEPTH } from "../limits.ts";
import { IDENTITY } from "./cid.ts";
import { linksOf, mayHaveLinks } from "./links.ts";

/** One block of a DAG, as a walk comes to it. */
export interface WalkStep {
  readonly cid: CID;
  readonly depth: number;
}

export interface WalkOptions extends AbortOptions {
  /** Tells of a block the walk came to, identity CIDs left out; false: it was there before, or is not wanted, and is not gone into. */
  visit(step: WalkStep): boolean | Promise<boolean>;
  /** Reads a block to follow its links; undefined: it is not here, and is passed over. */
  read(cid: CID): Promise<Uint8Array | undefined>;
}

/** Blocks read without a pause for others. */
const STEPS_PER_TURN = 256;

/**
 * Walks a DAG depth first, parents before children. Leaves are not read. Memory is bounded by depth times links per
 * block; time by what `visit` lets it go into. Deeper than {@link MAX_DAG_DEPTH} is `CORRUPT_DAG`.
 */
export async function walkDag(root: CID, options: WalkOptions): Promise<void> {
  const stack: { readonly links: readonly CID[]; next: number }[] = [{ links: [root], next: 0 }];
  for (let steps = 1; stack.length > 0; steps++) {
    const top = stack.at(-1);
    const cid = top?.links[top.next];
    if (top === undefined || cid === undefined) {
      stack.pop();
      continue;
    }
    top.next++;
    if (steps % STEPS_PER_TURN === 0) {
      options.signal?.throwIfAborted();
      await setImmediate();
    }
    const depth = stack.length - 1;
    if (depth > MAX_DAG_DEPTH) {
      throw new CidcastError("CORRUPT_DAG", `${root.toString()} is deeper than ${MAX_DAG_DEPTH} links`);
    }
    // A CID that carries its block is part of its parent: nothing to tell of, and always gone into.
    const isInline = cid.multihash.code === IDENTITY;
    const visited = isInline || options.visit({ cid, depth });
    if (!(typeof visited === "boolean" ? visited : await visited) || !mayHaveLinks(cid)) continue;
    options.signal?.throwIfAborted();
    const bytes = isInline ? cid.multihash.digest : await options.read(cid);
    if (bytes !== undefined) stack.push({ links: linksOf(cid, bytes), next: 0 });
  }
}
