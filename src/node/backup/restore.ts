import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { z } from "zod";
import { type ContentService, contentMigrations, createContent } from "../../content/index.ts";
import {
  type AbortOptions,
  CidcastError,
  EventBus,
  noMetrics,
  silentLogger,
  systemClock,
} from "../../core/index.ts";
import { openDatabase } from "../../store/index.ts";
import {
  type BackupManifest,
  BLOCKS_DIRECTORY,
  DATABASE_FILE,
  KEPT_DIRECTORIES,
  KEPT_FILES,
  MANIFEST_FILE,
  manifestSchema,
  MAX_JSON_BYTES,
  SUMS_FILE,
  sumsSchema,
} from "./format.ts";
import { readTar, type TarEntry } from "./tar.ts";

export interface RestoreInit extends AbortOptions {
  readonly source: AsyncIterable<Uint8Array>;
  /** Made, or empty. */
  readonly dataDir: string;
}

/** What was restored. */
export interface Restored {
  readonly manifest: BackupManifest;
  readonly files: number;
  readonly blocks: number;
}

/**
 * Makes a data directory of a backup. It is there whole, with every sum checked and every block verified, or not at all.
 * `CONFLICT` when something is there already; `INVALID_REQUEST` for what is no backup, or a damaged one.
 */
export async function restoreBackup({ source, dataDir, signal }: RestoreInit): Promise<Restored> {
  await requireEmpty(dataDir);
  const work = `${dataDir}.restoring`;
  await mkdir(dirname(work), { recursive: true });
  await makeWorkDirectory(work);
  try {
    const restored = await unpack(source, work, { signal });
    await rmdir(dataDir).catch(() => undefined);
    await rename(work, dataDir);
    return restored;
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

async function requireEmpty(dataDir: string): Promise<void> {
  const names = await readdir(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new CidcastError("STORAGE_FAILED", `${dataDir} cannot be read`, { cause: error });
  });
  if (names.length > 0) {
    throw new CidcastError("CONFLICT", `${dataDir} is not empty: a backup is restored to a new directory`);
  }
}

async function makeWorkDirectory(work: string): Promise<void> {
  try {
    await mkdir(work, { mode: 0o700 });
  } catch (cause) {
    const message = `${work} cannot be made: is another restore running? If not, remove it`;
    throw new CidcastError("CONFLICT", message, { cause });
  }
}

async function unpack(
  source: AsyncIterable<Uint8Array>,
  work: string,
  options: AbortOptions,
): Promise<Restored> {
  const sums: Record<string, string> = {};
  let manifest: BackupManifest | undefined;
  let expected: Readonly<Record<string, string>> | undefined;
  let files = 0;
  let blocks = 0;
  await using store = new BlockImport(work);
  for await (const entry of readTar(source)) {
    options.signal?.throwIfAborted();
    const { path } = entry;
    if (manifest === undefined) {
      manifest = await json(entry, MANIFEST_FILE, manifestSchema, sums);
    } else if (path === SUMS_FILE) {
      expected = await json(entry, SUMS_FILE, sumsSchema, {});
    } else if (path.startsWith(`${BLOCKS_DIRECTORY}/`)) {
      blocks += await store.take(summed(entry, sums), options);
    } else {
      await unpackFile(entry, join(work, checked(path)), sums);
      files++;
    }
  }
  if (manifest === undefined || expected === undefined) throw damaged("it ends too early");
  const wrong = [...new Set([...Object.keys(sums), ...Object.keys(expected)])].find(
    path => sums[path] !== expected[path],
  );
  if (wrong !== undefined) throw damaged(`${wrong} is not what was written`);
  return { manifest, files, blocks };
}

/** Only what a backup writes, and nothing outside the directory. */
function checked(path: string): string {
  const [top = "", ...below] = path.split("/");
  const isFile = below.length === 0 && (path === DATABASE_FILE || KEPT_FILES.includes(path));
  const isBelow =
    below.length > 0 &&
    KEPT_DIRECTORIES.includes(top) &&
    below.every(name => name !== "" && name !== "." && name !== ".." && !/[\\\0]/.test(name));
  if (!isFile && !isBelow) throw damaged(`${path.slice(0, 100)} does not belong in it`);
  return path;
}

async function unpackFile(entry: TarEntry, target: string, sums: Record<string, string>): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await pipeline(Readable.from(summed(entry, sums)), createWriteStream(target, { flags: "wx", mode: 0o600 }));
}

async function json<S extends z.ZodType>(
  entry: TarEntry,
  path: string,
  schema: S,
  sums: Record<string, string>,
): Promise<z.output<S>> {
  if (entry.path !== path || entry.size > MAX_JSON_BYTES) throw damaged(`${path} is missing`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of summed(entry, sums)) chunks.push(chunk);
  try {
    return schema.parse(JSON.parse(Buffer.concat(chunks).toString("utf8")));
  } catch (cause) {
    throw new CidcastError(
      "INVALID_REQUEST",
      `This is no backup, or of a later version: ${path} cannot be read`,
      {
        cause,
      },
    );
  }
}

/** The bytes of an entry; its sum is known at their end. */
async function* summed(entry: TarEntry, sums: Record<string, string>): AsyncGenerator<Uint8Array> {
  const sum = createHash("sha256");
  for await (const chunk of entry.body) {
    sum.update(chunk);
    yield chunk;
  }
  sums[entry.path] = sum.digest("hex");
}

function damaged(why: string): CidcastError {
  return new CidcastError("INVALID_REQUEST", `The backup is damaged: ${why}`);
}

/** The block store of the new directory, opened with the first blocks that come. */
class BlockImport implements AsyncDisposable {
  readonly #directory: string;
  #opened: Promise<{ readonly content: ContentService; readonly close: () => Promise<void> }> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async take(car: AsyncIterable<Uint8Array>, options: AbortOptions): Promise<number> {
    const { content } = await (this.#opened ??= this.#open());
    return (await content.importCar(car, { ...options, pin: false })).blocks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await this.#opened;
    await opened?.close();
  }

  async #open() {
    // Which blocks there are is known by the store itself: no table of the backup is touched.
    const database = await openDatabase({ file: ":memory:", migrations: contentMigrations });
    const content = createContent({ directory: this.#directory })({
      database,
      log: silentLogger,
      metrics: noMetrics,
      events: new EventBus(silentLogger),
      clock: systemClock,
    });
    await content.start();
    const close = async (): Promise<void> => {
      await content.stop();
      await database.close();
    };
    return { content, close };
  }
}
