import type { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import {
  type ByteRange,
  childrenIn,
  inlineBlock,
  linksOf,
  mayHaveLinks,
  type NodeLinks,
  rangeOfChild,
} from "../dag/node-links.ts";
import { keyOf, Visited } from "../dag/visited.ts";
import { MAX_BLOCKS_PER_REQUEST, MAX_DAG_DEPTH } from "../limits.ts";
import type { TransferBlocks } from "../types.ts";

/** What a leaf is taken to weigh where its parent does not say, bytes. */
const USUAL_LEAF_BYTES = 256 * 1024;
/** What an inner node is taken to weigh, bytes. */
const USUAL_NODE_BYTES = 32 * 1024;

/** A block to be fetched. */
export interface Unit {
  readonly cid: CID;
  readonly key: string;
  /** About how large it is, bytes. */
  readonly bytes: number;
}

export interface TakeOptions {
  readonly maxBytes: number;
  readonly maxBlocks: number;
  /** Blocks that must not be given out, by key: the asking source lacks them. */
  readonly lacked: ReadonlySet<string>;
}

/** A node whose children are given out one after another. */
interface Place {
  readonly cid: CID;
  readonly key: string;
  readonly range: ByteRange;
  readonly depth: number;
  readonly bytes: number;
  node: NodeLinks | undefined;
  next: number;
  last: number;
}

/**
 * What is missing of a DAG, in the order of its bytes, each block given out once. The walk goes on below a node when the
 * node is here; until then it passes on to what comes after it.
 */
export class Frontier {
  readonly #blocks: TransferBlocks;
  /** Next first. */
  readonly #places: Place[] = [];
  /** Every block that was given out or found here, by key. */
  readonly #seen = new Set<string>();
  /** Given out and came back: first of all to be given out again. */
  #returned: Unit[] = [];
  /** Nodes that are under way. */
  readonly #awaited = new Set<string>();
  /** Links of nodes that came, until the walk gets to them. */
  readonly #links = new Map<string, NodeLinks>();
  readonly #visited = new Visited();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(blocks: TransferBlocks, root: CID, range: ByteRange) {
    this.#blocks = blocks;
    this.#places.push(placeOf(root, range, 0, USUAL_LEAF_BYTES));
  }

  /** True when everything that is known was given out. */
  get isExhausted(): boolean {
    return this.#returned.length === 0 && this.#places.length === 0;
  }

  /** True when the block belongs to what was walked so far. */
  knows(key: string): boolean {
    return this.#seen.has(key);
  }

  /** The next blocks that are missing; none when there is nothing to be had at present. */
  take(options: TakeOptions): Promise<Unit[]> {
    const taken = this.#turn.then(() => this.#take(options));
    this.#turn = taken.catch(() => undefined);
    return taken;
  }

  /** Takes one block out of its turn; false when it is under way or was given out. */
  claim(cid: CID): Unit | undefined {
    const key = keyOf(cid);
    const index = this.#returned.findIndex(unit => unit.key === key);
    if (index >= 0) return this.#returned.splice(index, 1)[0];
    if (this.#seen.has(key)) return undefined;
    this.#note(key);
    if (mayHaveLinks(cid)) this.#awaited.add(key);
    return { cid, key, bytes: USUAL_LEAF_BYTES };
  }

  /** A block is here. */
  arrived(cid: CID, bytes: Uint8Array): void {
    const key = keyOf(cid);
    this.#note(key);
    this.#awaited.delete(key);
    if (mayHaveLinks(cid)) this.#links.set(key, linksOf(cid, bytes));
  }

  /** Blocks that were given out and did not come. */
  giveBack(units: readonly Unit[]): void {
    this.#returned = [...units, ...this.#returned];
  }

  async #take({ maxBytes, maxBlocks, lacked }: TakeOptions): Promise<Unit[]> {
    const units: Unit[] = [];
    let left = maxBytes;
    const give = (unit: Unit): void => {
      units.push(unit);
      left -= unit.bytes;
    };
    const isFull = (): boolean => units.length >= maxBlocks || (left <= 0 && units.length > 0);
    const kept: Unit[] = [];
    for (const unit of this.#returned) {
      if (isFull() || lacked.has(unit.key)) kept.push(unit);
      else if (await this.#blocks.has(unit.cid)) this.#awaited.delete(unit.key);
      else give(unit);
    }
    this.#returned = kept;
    for (let at = 0; at < this.#places.length && !isFull(); ) {
      const place = this.#places[at];
      if (place === undefined) break;
      if (place.node === undefined) {
        if (this.#awaited.has(place.key)) at++;
        else if (!(await this.#enter(place))) {
          // Missing, and not under way: it is given out, unless it waits among those that came back.
          if (!this.#seen.has(place.key)) {
            this.#note(place.key);
            this.#awaited.add(place.key);
            give(place);
          }
          at++;
        }
      } else if (place.next > place.last) {
        this.#places.splice(at, 1);
      } else {
        const unit = await this.#nextChild(place, at);
        if (unit !== undefined) give(unit);
      }
    }
    return units;
  }

  /** Looks up what a node links to; false when the node is not here. */
  async #enter(place: Place): Promise<boolean> {
    const inline = inlineBlock(place.cid);
    let node = this.#links.get(place.key);
    this.#links.delete(place.key);
    if (node === undefined) {
      const isLeaf = inline === undefined && !mayHaveLinks(place.cid);
      if (isLeaf && !(await this.#blocks.has(place.cid))) return false;
      const bytes = inline ?? (isLeaf ? new Uint8Array() : await this.#blocks.get(place.cid));
      if (bytes === undefined) return false;
      node = linksOf(place.cid, bytes);
    }
    this.#note(place.key);
    place.node = node;
    if (!this.#visited.enter(place.cid, place.range)) return true;
    const { first, last } = childrenIn(node, place.range);
    place.next = first;
    place.last = last;
    return true;
  }

  /** Goes on to the next child: a leaf that is missing is given out, a node becomes a place of its own. */
  async #nextChild(place: Place, at: number): Promise<Unit | undefined> {
    const index = place.next++;
    const { node, depth } = place;
    const cid = node?.links[index];
    if (node === undefined || cid === undefined) return undefined;
    const size = sizeOf(node, index);
    if (mayHaveLinks(cid)) {
      if (depth >= MAX_DAG_DEPTH) {
        throw new CidcastError("CORRUPT_DAG", `The DAG is deeper than ${MAX_DAG_DEPTH}`);
      }
      this.#places.splice(at, 0, placeOf(cid, rangeOfChild(node, index, place.range), depth + 1, size));
      return undefined;
    }
    if (inlineBlock(cid) !== undefined) return undefined;
    const key = keyOf(cid);
    if (this.#seen.has(key)) return undefined;
    this.#note(key);
    return (await this.#blocks.has(cid)) ? undefined : { cid, key, bytes: size ?? USUAL_LEAF_BYTES };
  }

  #note(key: string): void {
    if (this.#seen.size >= MAX_BLOCKS_PER_REQUEST && !this.#seen.has(key)) {
      throw new CidcastError("LIMIT_REACHED", `A transfer is of at most ${MAX_BLOCKS_PER_REQUEST} blocks`);
    }
    this.#seen.add(key);
  }
}

function placeOf(cid: CID, range: ByteRange, depth: number, size: number | undefined): Place {
  // What spans more than a block holds is a node of links.
  const bytes = size === undefined || size > USUAL_LEAF_BYTES ? USUAL_NODE_BYTES : size;
  return { cid, key: keyOf(cid), range, depth, bytes, node: undefined, next: 0, last: -1 };
}

function sizeOf({ starts }: NodeLinks, index: number): number | undefined {
  const start = starts?.[index];
  const end = starts?.[index + 1];
  return start === undefined || end === undefined ? undefined : end - start;
}
