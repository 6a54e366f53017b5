import { randomFillSync } from "node:crypto";
import { importByteStream } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";
import type { CID } from "multiformats/cid";
import type { TransferBlocks } from "../../src/transfer/index.ts";

const MIB = 1024 * 1024;

/** Random bytes, a MiB at a time. */
export async function* noise(bytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += MIB) yield randomFillSync(Buffer.alloc(Math.min(MIB, bytes - at)));
}

/** Adds a random file with leaves of `chunkBytes`. */
export async function addLarge(
  blocks: Pick<TransferBlocks, "put">,
  bytes: number,
  chunkBytes: number,
): Promise<CID> {
  const sink = {
    put: async (cid: CID, block: unknown) => {
      if (block instanceof Uint8Array) await blocks.put(cid, Uint8Array.from(block));
      return cid;
    },
  };
  const { cid } = await importByteStream(noise(bytes), sink, {
    rawLeaves: true,
    cidVersion: 1,
    chunker: fixedSize({ chunkSize: chunkBytes }),
    layout: balanced({ maxChildrenPerNode: 174 }),
  });
  return cid;
}

/** Blocks in memory. */
export class MemoryStore implements TransferBlocks {
  readonly #blocks = new Map<string, Uint8Array>();

  has(cid: CID): boolean {
    return this.#blocks.has(cid.toString());
  }

  async get(cid: CID): Promise<Uint8Array | undefined> {
    return this.#blocks.get(cid.toString());
  }

  async put(cid: CID, bytes: Uint8Array): Promise<void> {
    this.#blocks.set(cid.toString(), bytes);
  }
}
