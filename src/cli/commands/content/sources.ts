import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { DirectoryEntrySource } from "../../../content/index.ts";
import { CidcastError } from "../../../core/index.ts";
import type { CliEnvironment } from "../../environment.ts";

/** Something that can be added. */
export type Source =
  | {
      readonly kind: "file";
      readonly name: string | undefined;
      readonly totalBytes: number | undefined;
      readonly open: () => AsyncIterable<Uint8Array>;
    }
  | {
      readonly kind: "directory";
      readonly name: string;
      readonly totalBytes: number;
      readonly entries: (onBytes: (bytes: number) => void) => AsyncIterable<DirectoryEntrySource>;
    };

/** Bytes read from a file at a time. */
const READ_BYTES = 256 * 1024;

/** A file, a directory or, for `-`, standard input. Symbolic links are followed when named, not inside a directory. */
export async function sourceOf(path: string, { stdin, cwd }: CliEnvironment): Promise<Source> {
  if (path === "-")
    return { kind: "file", name: undefined, totalBytes: undefined, open: () => toBytes(stdin) };
  const full = resolve(cwd, path);
  const info = await statOf(full);
  const name = basename(full);
  if (info.isDirectory()) {
    const files = await walk(full, "");
    return {
      kind: "directory",
      name,
      totalBytes: files.reduce((sum, file) => sum + file.bytes, 0),
      entries: onBytes => entriesOf(full, files, onBytes),
    };
  }
  // Pipes and devices have no size to speak of.
  const totalBytes = info.isFile() ? info.size : undefined;
  return {
    kind: "file",
    name,
    totalBytes,
    open: () => createReadStream(full, { highWaterMark: READ_BYTES }),
  };
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw missing
      ? new CidcastError("NOT_FOUND", `There is no file ${path}`, { cause })
      : new CidcastError("STORAGE_FAILED", `${path} cannot be read`, { cause });
  }
}

interface FoundFile {
  readonly path: string;
  readonly bytes: number;
}

async function walk(root: string, below: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  const names = await readdir(join(root, below));
  for (const name of names.sort()) {
    const path = below === "" ? name : `${below}/${name}`;
    const info = await lstat(join(root, path));
    if (info.isDirectory()) found.push(...(await walk(root, path)));
    else if (info.isFile()) found.push({ path, bytes: info.size });
  }
  return found;
}

async function* entriesOf(
  root: string,
  files: readonly FoundFile[],
  onBytes: (bytes: number) => void,
): AsyncGenerator<DirectoryEntrySource> {
  for (const { path } of files) {
    const stream = createReadStream(join(root, path), { highWaterMark: READ_BYTES });
    yield { path, content: counted(stream, onBytes) };
  }
}

/** The same bytes, counted as they go by. */
export async function* counted(
  source: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    onBytes(chunk.length);
    yield chunk;
  }
}

async function* toBytes(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}
