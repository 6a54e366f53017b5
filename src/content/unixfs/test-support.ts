import { createHash } from "node:crypto";
import { encode, type PBLink } from "@ipld/dag-pb";
import { exporter } from "ipfs-unixfs-exporter";
import { type ImporterOptions, importer } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced, flat, trickle } from "ipfs-unixfs-importer/layout";
import { CID } from "multiformats/cid";
import { create } from "multiformats/hashes/digest";
import { noMetrics, silentLogger } from "../../core/index.ts";
import { MemoryBlockstore } from "../blockstore/memory-blockstore.ts";
import { VerifiedBlocks } from "../dag/blocks.ts";
import { noDenylist } from "../denylist/denylist.ts";
import { DAG_PB, RAW } from "../dag/cid.ts";
import { contentMetrics } from "../metrics.ts";
import { NodeCache } from "./node-cache.ts";
import { encodeFileData } from "./unixfs-data.ts";

/** Bytes that differ everywhere and are the same in every run. */
export function patternBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Ways in which other programs write a file. */
export const SHAPES: Readonly<Record<string, ImporterOptions>> = {
  "raw leaves, balanced": { rawLeaves: true, cidVersion: 1 },
  "dag-pb leaves, CIDv0": { rawLeaves: false, cidVersion: 0, leafType: "file" },
  "dag-pb leaves of type raw": { rawLeaves: false, cidVersion: 1, leafType: "raw" },
  "raw leaves under CIDv0 nodes": { rawLeaves: true, cidVersion: 0 },
  "a single leaf under a node": { rawLeaves: true, cidVersion: 1, reduceSingleLeafToSelf: false },
  "small chunks, three links per node": {
    chunker: fixedSize({ chunkSize: 1000 }),
    layout: balanced({ maxChildrenPerNode: 3 }),
  },
  "large chunks": { chunker: fixedSize({ chunkSize: 1024 * 1024 }) },
  "all leaves under one node": { chunker: fixedSize({ chunkSize: 500 }), layout: flat() },
  "trickle, raw leaves": {
    chunker: fixedSize({ chunkSize: 700 }),
    layout: trickle({ maxChildrenPerNode: 4 }),
  },
  "trickle, dag-pb leaves": {
    rawLeaves: false,
    leafType: "raw",
    chunker: fixedSize({ chunkSize: 900 }),
    layout: trickle({ maxChildrenPerNode: 2 }),
  },
};

/** A store with what an importer, or a test, puts into it. */
export class Dags {
  readonly store = new MemoryBlockstore();
  readonly blocks = new VerifiedBlocks(
    {
      store: this.store,
      network: undefined,
      denylist: noDenylist,
      metrics: contentMetrics(noMetrics),
      log: silentLogger,
    },
    1000,
  );
  readonly nodes = new NodeCache(this.blocks);

  /** The same store as other libraries see it. */
  readonly foreign = {
    put: async (cid: CID, bytes: Uint8Array): Promise<CID> => {
      await this.store.put(cid, bytes);
      return cid;
    },
    get: async function* (this: Dags, cid: CID): AsyncGenerator<Uint8Array> {
      const bytes = await this.store.get(cid);
      if (bytes === undefined) throw new Error("not found");
      yield bytes;
    }.bind(this),
    has: async (cid: CID): Promise<boolean> => this.store.has(cid),
  };

  /** Imports files with ipfs-unixfs-importer; gives back the last root. */
  async import(
    files: readonly { path?: string; content: Uint8Array }[],
    options: ImporterOptions = {},
  ): Promise<CID> {
    let root: CID | undefined;
    for await (const entry of importer(files, this.foreign, options)) root = entry.cid;
    if (root === undefined) throw new Error("nothing was imported");
    return root;
  }

  /** What ipfs-unixfs-exporter reads. */
  async export(root: CID, range: { offset?: number; length?: number } = {}): Promise<Buffer> {
    const entry = await exporter(root, this.foreign);
    const parts: Uint8Array[] = [];
    if (entry.type === "file" || entry.type === "raw" || entry.type === "identity") {
      for await (const part of entry.content(range)) parts.push(part);
    }
    return Buffer.concat(parts);
  }

  async put(bytes: Uint8Array, codec = RAW): Promise<CID> {
    const cid = CID.createV1(codec, create(0x12, createHash("sha256").update(bytes).digest()));
    await this.store.put(cid, bytes);
    return cid;
  }

  /** A file node as given, whether it makes sense or not. */
  file(
    links: readonly { cid: CID; size: number }[],
    { data = new Uint8Array(0), fileSize = -1 } = {},
  ): Promise<CID> {
    const sizes = links.map(link => link.size);
    const total = fileSize >= 0 ? fileSize : sizes.reduce((sum, size) => sum + size, data.byteLength);
    const unixFs = Buffer.from(encodeFileData(total, sizes));
    // Field 2 goes between the type and the size.
    const inline =
      data.byteLength === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x12, data.byteLength]), data]);
    return this.node(
      Buffer.concat([unixFs.subarray(0, 2), inline, unixFs.subarray(2)]),
      links.map(({ cid, size }) => ({ Hash: cid, Name: "", Tsize: size })),
    );
  }

  node(data: Uint8Array, links: readonly PBLink[]): Promise<CID> {
    return this.put(encode({ Data: data, Links: [...links] }), DAG_PB);
  }
}

/** A CID that carries its block itself. */
export function identityCid(bytes: Uint8Array, codec = RAW): CID {
  return CID.createV1(codec, create(0, bytes));
}
