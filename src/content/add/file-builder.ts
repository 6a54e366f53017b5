import { encode } from "@ipld/dag-pb";
import type { CID } from "multiformats/cid";
import type { AbortOptions } from "../../core/index.ts";
import { DAG_PB, RAW } from "../dag/cid.ts";
import { encodeFileData } from "../unixfs/unixfs-data.ts";
import type { BlockSink } from "./block-sink.ts";
import { chunks } from "./chunker.ts";
import { CID_PROFILE } from "./profile.ts";

/** A node that is written, as its parent links to it. */
export interface BuiltNode {
  readonly cid: CID;
  /** Bytes of file content below. */
  readonly fileSize: number;
  /** Bytes of the blocks below, this one included. */
  readonly totalBytes: number;
}

/** Makes a balanced tree of what it is given, writing each inner node as soon as it is full. */
class BalancedTree {
  readonly #sink: BlockSink;
  /** Children that wait for their parent, by level; leaves are level 0. */
  readonly #levels: BuiltNode[][] = [];

  constructor(sink: BlockSink) {
    this.#sink = sink;
  }

  add(node: BuiltNode, level = 0): void {
    const children = (this.#levels[level] ??= []);
    children.push(node);
    // The next one shows whether there is to be a parent at all: a full last level is the root as it is.
    if (children.length > CID_PROFILE.maxLinks) {
      this.#levels[level] = [node];
      this.add(this.#parent(children.slice(0, -1)), level + 1);
    }
  }

  /** Writes what waits and gives back the root. Something must have been added. */
  finish(): BuiltNode {
    for (let level = 0; ; level++) {
      const children = this.#levels[level] ?? [];
      const [only] = children;
      if (level === this.#levels.length - 1 && children.length === 1 && only !== undefined) return only;
      this.#levels[level] = [];
      this.add(this.#parent(children), level + 1);
    }
  }

  #parent(children: readonly BuiltNode[]): BuiltNode {
    const fileSize = children.reduce((sum, child) => sum + child.fileSize, 0);
    const block = encode({
      Data: encodeFileData(
        fileSize,
        children.map(child => child.fileSize),
      ),
      Links: children.map(child => ({ Hash: child.cid, Name: "", Tsize: child.totalBytes })),
    });
    const totalBytes = children.reduce((sum, child) => sum + child.totalBytes, block.byteLength);
    return { cid: this.#sink.write(DAG_PB, block), fileSize, totalBytes };
  }
}

export interface BuildFileOptions extends AbortOptions {
  /** Hears of each chunk, with the bytes taken so far. */
  readonly onChunk?: (chunk: Uint8Array, bytes: number) => void;
}

/** Writes the blocks of a file and gives back its root. Everything is on its way, not yet written: flush the sink. */
export async function buildFile(
  source: AsyncIterable<Uint8Array>,
  sink: BlockSink,
  options: BuildFileOptions = {},
): Promise<BuiltNode> {
  const tree = new BalancedTree(sink);
  let bytes = 0;
  const leaf = (chunk: Uint8Array): void => {
    const size = chunk.byteLength;
    tree.add({ cid: sink.write(RAW, chunk), fileSize: size, totalBytes: size });
  };
  for await (const chunk of chunks(source, CID_PROFILE.chunkBytes)) {
    options.signal?.throwIfAborted();
    leaf(chunk);
    bytes += chunk.byteLength;
    options.onChunk?.(chunk, bytes);
    await sink.room();
  }
  options.signal?.throwIfAborted();
  if (bytes === 0) leaf(new Uint8Array(0));
  return tree.finish();
}
