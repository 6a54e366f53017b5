import { existsSync } from "node:fs";
import fs from "node:fs/promises";
import { dirname, join } from "node:path";
import { base32upper } from "multiformats/bases/base32";
import type { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError, SingleFlight } from "../../core/index.ts";
import { blockKey, IDENTITY } from "../dag/cid.ts";
import { verifyBlock } from "../dag/hash.ts";
import { MAX_BLOCK_BYTES } from "../limits.ts";
import type {
  BlockDurability,
  BlockGuard,
  BlockSet,
  Blockstore,
  SweepOptions,
  SweepResult,
} from "./blockstore.ts";
import { storageError } from "./file-io.ts";
import { Guards } from "./guards.ts";
import { KeySet } from "./key-set.ts";

/** Blocks remembered as verified, about 150 bytes each. When there are more, all are hashed again. */
const MAX_VERIFIED = 100_000;

const SUFFIX = ".data";
/** What a block that is being written is called: never taken for a block. */
const TEMPORARY = ".tmp";

export interface FlatBlockstoreInit {
  readonly directory: string;
  readonly durability?: BlockDurability;
}

/** A file per block, in the directories of blockstore-fs: for stores made by other programs. Slower than packs. */
export class FlatBlockstore implements Blockstore {
  readonly #directory: string;
  readonly #sync: boolean;
  readonly #guards = new Guards();
  readonly #writing = new SingleFlight<string, void>();
  readonly #made = new Set<string>();
  /** When blocks were put, while somebody wants to know. */
  readonly #moments = new Map<string, number>();
  readonly #verified = new Set<string>();
  #temporary = 0;

  constructor(init: FlatBlockstoreInit) {
    this.#directory = init.directory;
    this.#sync = init.durability === "full";
  }

  async open(): Promise<void> {
    try {
      await fs.mkdir(this.#directory, { recursive: true });
      for await (const { path } of this.#files(TEMPORARY)) await fs.rm(path, { force: true });
    } catch (cause) {
      throw storageError("The block store cannot be opened", cause);
    }
  }

  async close(): Promise<void> {}

  has(cid: CID): boolean {
    return cid.multihash.code === IDENTITY || existsSync(this.#path(cid));
  }

  async get(cid: CID, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    if (cid.multihash.code === IDENTITY) return cid.multihash.digest;
    let bytes: Uint8Array;
    try {
      bytes = await fs.readFile(this.#path(cid));
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw storageError(`${cid.toString()} cannot be read`, cause);
    }
    options.signal?.throwIfAborted();
    const key = blockKey(cid);
    if (!this.#verified.has(key)) {
      verifyBlock(cid, bytes);
      if (this.#verified.size >= MAX_VERIFIED) this.#verified.clear();
      this.#verified.add(key);
    }
    return bytes;
  }

  async put(cid: CID, bytes: Uint8Array): Promise<void> {
    if (cid.multihash.code === IDENTITY) return;
    if (bytes.byteLength > MAX_BLOCK_BYTES) {
      throw new CidcastError("PAYLOAD_TOO_LARGE", `A block of ${bytes.byteLength} bytes is too large`);
    }
    if (this.touch(cid)) return;
    await this.#writing.run(blockKey(cid), () => this.#write(cid, bytes));
    this.touch(cid);
  }

  touch(cid: CID): boolean {
    if (!this.has(cid)) return false;
    if (!this.#guards.anyOpen) this.#moments.clear();
    this.#moments.set(blockKey(cid), this.#guards.tick());
    return true;
  }

  async delete(cid: CID): Promise<boolean> {
    this.#verified.delete(blockKey(cid));
    try {
      await fs.unlink(this.#path(cid));
      return true;
    } catch (cause) {
      if (isMissing(cause)) return false;
      throw storageError(`${cid.toString()} cannot be removed`, cause);
    }
  }

  guard(): BlockGuard {
    return this.#guards.open();
  }

  newSet(): BlockSet {
    return new KeySet(cid => this.has(cid));
  }

  async sweep(keep: BlockSet, options: SweepOptions): Promise<SweepResult> {
    if (!(keep instanceof KeySet)) throw new CidcastError("INTERNAL", "The set belongs to another store");
    const since = this.#guards.protectedSince(options.since);
    let removedBlocks = 0;
    let freedBytes = 0;
    for await (const { path, name } of this.#files(SUFFIX)) {
      options.signal?.throwIfAborted();
      const key = keyOfName(name);
      if (key === undefined || keep.hasKey(key)) continue;
      await options.beforeBatch?.();
      const { size } = await fs.stat(path);
      if (keep.hasKey(key) || (this.#moments.get(key) ?? 0) >= since) continue;
      this.#verified.delete(key);
      await fs.unlink(path);
      removedBlocks++;
      freedBytes += size;
    }
    return { removedBlocks, freedBytes };
  }

  async compact(): Promise<void> {}

  async usage(): Promise<{ readonly blocks: number; readonly bytes: number }> {
    let blocks = 0;
    let bytes = 0;
    for await (const { path } of this.#files(SUFFIX)) {
      blocks++;
      bytes += (await fs.stat(path)).size;
    }
    return { blocks, bytes };
  }

  async #write(cid: CID, bytes: Uint8Array): Promise<void> {
    const path = this.#path(cid);
    const directory = dirname(path);
    const temporary = `${path}.${this.#temporary++}${TEMPORARY}`;
    try {
      if (!this.#made.has(directory)) await fs.mkdir(directory, { recursive: true });
      this.#made.add(directory);
      await fs.writeFile(temporary, bytes, { flag: "wx", flush: this.#sync });
      await fs.rename(temporary, path);
      if (this.#sync) await syncDirectory(directory);
    } catch (cause) {
      await fs.rm(temporary, { force: true });
      throw storageError(`${cid.toString()} cannot be written`, cause);
    }
  }

  #path(cid: CID): string {
    const text = base32upper.encoder.encode(cid.multihash.bytes);
    return join(this.#directory, text.slice(-2), `${text}${SUFFIX}`);
  }

  async *#files(suffix: string): AsyncGenerator<{ readonly path: string; readonly name: string }> {
    for (const directory of await fs.readdir(this.#directory, { withFileTypes: true })) {
      if (!directory.isDirectory()) continue;
      const path = join(this.#directory, directory.name);
      for (const name of await fs.readdir(path)) {
        if (name.endsWith(suffix)) yield { path: join(path, name), name: name.slice(0, -suffix.length) };
      }
    }
  }
}

/** The rename is in the directory, so that has to reach the disk too. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await fs.open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function keyOfName(name: string): string | undefined {
  try {
    return Buffer.from(base32upper.decoder.decode(name)).toString("latin1");
  } catch {
    // Not one of ours: left alone.
    return undefined;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
