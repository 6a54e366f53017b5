import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { carEntry, carHeader, type ContentService, type DagBlock } from "../../content/index.ts";
import type { AbortOptions } from "../../core/index.ts";
import type { Database } from "../../store/index.ts";
import { VERSION } from "../version.ts";
import {
  BACKUP_FORMAT,
  type BackupManifest,
  BLOCKS_DIRECTORY,
  BLOCKS_PIECE_BYTES,
  DATABASE_FILE,
  KEPT_DIRECTORIES,
  KEPT_FILES,
  MANIFEST_FILE,
  SUMS_FILE,
} from "./format.ts";
import { padding, TAR_END, tarHeader } from "./tar.ts";

export interface BackupParts {
  readonly dataDir: string;
  readonly database: Pick<Database, "snapshot">;
  readonly content: Pick<ContentService, "keeping" | "exportPinned">;
}

export interface BackupOptions extends AbortOptions {
  /** Also every block that is pinned. */
  readonly blocks?: boolean;
}

/**
 * A backup of a node that goes on working, as a tar file: the database as it is at one moment, keys, files of tenants, and the
 * blocks that were pinned at that moment where they are asked for. Nothing is collected while it is written.
 */
export function createBackup(parts: BackupParts, options: BackupOptions = {}): AsyncIterable<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const work = async (): Promise<void> => {
    try {
      await parts.content.keeping(() => write(parts, bytes => writer.write(bytes), options));
      await writer.close();
    } catch (error) {
      await writer.abort(error);
    }
  };
  // The reader is told of what fails; a reader that has gone is no failure.
  work().catch(() => undefined);
  return readable;
}

async function write(
  { dataDir, database, content }: BackupParts,
  send: (bytes: Uint8Array) => Promise<void>,
  { blocks = false, signal }: BackupOptions,
): Promise<void> {
  const archive = new Archive(send);
  const copy = join(dataDir, `${DATABASE_FILE}.${process.pid}.backup`);
  try {
    const copied = await database.snapshot(copy);
    const manifest: BackupManifest = {
      format: BACKUP_FORMAT,
      version: VERSION,
      created_at: new Date().toISOString(),
      database: copied ? "sqlite" : "postgres",
      blocks,
    };
    await archive.add(MANIFEST_FILE, Buffer.from(JSON.stringify(manifest)));
    if (copied) await archive.addFile(DATABASE_FILE, copy);
    for (const path of await keptFiles(dataDir)) {
      signal?.throwIfAborted();
      await archive.addFile(path, join(dataDir, path));
    }
    if (blocks) {
      const pieces = new BlockPieces(archive);
      await content.exportPinned(block => pieces.add(block), { signal });
      await pieces.flush();
    }
    await archive.end();
  } finally {
    await rm(copy, { force: true });
  }
}

/** Paths below the data directory, with `/`. */
async function keptFiles(dataDir: string): Promise<string[]> {
  const paths: string[] = [];
  const walk = async (directory: string): Promise<void> => {
    for (const entry of await entriesOf(join(dataDir, directory))) {
      const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
      const kept = directory !== "" || KEPT_FILES.includes(path);
      if (entry.isFile() && kept) paths.push(path);
      else if (entry.isDirectory() && (directory !== "" || KEPT_DIRECTORIES.includes(path))) await walk(path);
    }
  };
  await walk("");
  return paths;
}

async function entriesOf(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch {
    // Gone since it was listed: what is not there is not kept.
    return [];
  }
}

/** A tar file being written, with the sum of each entry. */
class Archive {
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  readonly #sums: Record<string, string> = {};

  constructor(send: (bytes: Uint8Array) => Promise<void>) {
    this.#send = send;
  }

  async add(path: string, bytes: Uint8Array): Promise<void> {
    await this.#send(tarHeader(path, bytes.byteLength));
    await this.#send(bytes);
    await this.#send(padding(bytes.byteLength));
    this.#sums[path] = createHash("sha256").update(bytes).digest("hex");
  }

  /** A file as it was when it was opened: files are replaced, not written to. One that is gone is left out. */
  async addFile(path: string, file: string): Promise<void> {
    const handle = await open(file).catch(() => undefined);
    if (handle === undefined) return;
    try {
      const { size } = await handle.stat();
      const sum = createHash("sha256");
      await this.#send(tarHeader(path, size));
      if (size > 0) {
        const chunks = createReadStream("", { fd: handle, autoClose: false, start: 0, end: size - 1 });
        // Without an encoding a file is read as buffers.
        for await (const chunk of chunks as AsyncIterable<Buffer>) {
          sum.update(chunk);
          await this.#send(chunk);
        }
      }
      await this.#send(padding(size));
      this.#sums[path] = sum.digest("hex");
    } finally {
      await handle.close();
    }
  }

  async end(): Promise<void> {
    await this.add(SUMS_FILE, Buffer.from(JSON.stringify(this.#sums)));
    await this.#send(TAR_END);
  }
}

/** Blocks, put together to pieces of some size. */
class BlockPieces {
  readonly #archive: Archive;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #count = 0;

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  async add(block: DagBlock): Promise<void> {
    for (const piece of carEntry(block)) {
      this.#pieces.push(piece);
      this.#bytes += piece.byteLength;
    }
    if (this.#bytes >= BLOCKS_PIECE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#pieces.length === 0) return;
    this.#count++;
    const bytes = Buffer.concat([carHeader([]), ...this.#pieces]);
    this.#pieces = [];
    this.#bytes = 0;
    await this.#archive.add(`${BLOCKS_DIRECTORY}/${String(this.#count).padStart(6, "0")}.car`, bytes);
  }
}
