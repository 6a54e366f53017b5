import { open } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { unixfs } from "@helia/unixfs";
import { FsBlockstore } from "blockstore-fs";
import { CID } from "multiformats/cid";
import { noMetrics, silentLogger } from "../../src/core/index.ts";
import type { Blockstore } from "../../src/content/blockstore/blockstore.ts";
import { FlatBlockstore } from "../../src/content/blockstore/flat-blockstore.ts";
import { PackBlockstore } from "../../src/content/blockstore/pack/index.ts";
import { VerifiedBlocks } from "../../src/content/dag/blocks.ts";
import { noDenylist } from "../../src/content/denylist/denylist.ts";
import { contentMetrics } from "../../src/content/metrics.ts";
import { NodeCache, UnixFsFile } from "../../src/content/unixfs/index.ts";
import { Holds } from "../../src/content/verbs/holds.ts";

/** Where the things to read are. */
export interface Places {
  readonly file: string;
  readonly packs: string;
  readonly flat: string;
  readonly cid: string;
}

/** One way of reading the file. */
export interface Subject {
  readonly size: number;
  /** Bytes from an offset on, without a known end: what a seek in a player asks for. */
  stream(start: number): AsyncIterable<Uint8Array>;
  read(start: number, end: number): Promise<Uint8Array>;
}

async function ours(store: Blockstore, cid: string): Promise<Subject> {
  await store.open();
  const blocks = new VerifiedBlocks(
    {
      store,
      network: undefined,
      denylist: noDenylist,
      metrics: contentMetrics(noMetrics),
      log: silentLogger,
    },
    1000,
  );
  const root = CID.parse(cid);
  const file = await UnixFsFile.open(root, new NodeCache(blocks), new Holds().hold(root), {});
  return {
    size: file.size,
    stream: start => file.stream({ start }),
    read: (start, end) => file.read(start, end),
  };
}

async function helia(directory: string, cid: string): Promise<Subject> {
  const blockstore = new FsBlockstore(directory);
  await blockstore.open();
  // Everything that reading needs of a Helia node.
  const fs = unixfs({ blockstore });
  const root = CID.parse(cid);
  const { size } = await fs.stat(root);
  return {
    size: Number(size),
    stream: start => fs.cat(root, { offset: start }),
    async read(start, end) {
      const parts: Uint8Array[] = [];
      for await (const part of fs.cat(root, { offset: start, length: end - start })) parts.push(part);
      return Buffer.concat(parts);
    },
  };
}

async function plain(path: string): Promise<Subject> {
  const handle = await open(path);
  const { size } = await handle.stat();
  return {
    size,
    stream: start => createReadStream(path, { start, highWaterMark: 256 * 1024 }),
    async read(start, end) {
      const { buffer } = await handle.read(Buffer.allocUnsafe(end - start), 0, end - start, start);
      return buffer;
    },
  };
}

export const SUBJECTS: Readonly<Record<string, (places: Places) => Promise<Subject>>> = {
  "plain file": ({ file }) => plain(file),
  "reader on packs": ({ packs, cid }) => ours(new PackBlockstore({ directory: packs }), cid),
  "reader on flat directories": ({ flat, cid }) => ours(new FlatBlockstore({ directory: flat }), cid),
  "helia unixfs.cat on blockstore-fs": ({ flat, cid }) => helia(flat, cid),
};
