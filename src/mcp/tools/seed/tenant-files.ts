import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, opendir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CidcastError } from "../../../core/index.ts";
import {
  MAX_FILE_BYTES,
  MAX_FILE_DEPTH,
  MAX_FILE_ENTRIES,
  MAX_FILE_PATH_LENGTH,
  MAX_FILES,
} from "../../limits.ts";

export interface FileEntry {
  readonly name: string;
  readonly type: "file" | "directory";
  readonly size: number;
}

/** The files of one tenant. No path leads out of its directory: neither `..` nor links are followed. */
export interface TenantFiles {
  read(path: string): Promise<Uint8Array>;
  /** Writes a whole file, making directories on the way. `checkMore` is asked before bytes are added. */
  write(
    path: string,
    bytes: Uint8Array,
    checkMore: (usedBytes: number, moreBytes: number) => void,
  ): Promise<void>;
  list(path: string): Promise<{ readonly entries: FileEntry[]; readonly more: boolean }>;
  exists(path: string): Promise<"file" | "directory" | undefined>;
  usage(): Promise<{ readonly files: number; readonly bytes: number }>;
}

/** Name of a file that is being written; it is renamed when it is whole. */
const PARTIAL = ".cidcast-partial-";

export function createTenantFiles(root: string): TenantFiles {
  /** Writes of a tenant follow each other, so that two cannot share what is left of its quota. */
  let writes: Promise<unknown> = Promise.resolve();
  const ready = async (): Promise<void> => {
    await mkdir(root, { recursive: true, mode: 0o700 });
  };
  return {
    async read(path) {
      const file = await walk(root, namesOf(path), "file");
      // O_NOFOLLOW: a link put there since the walk is refused too. O_NONBLOCK: so is a pipe that nobody writes to.
      const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
        notThere(path),
      );
      try {
        const stat = await handle.stat();
        if (!stat.isFile() || stat.nlink > 1) throw notFile(path);
        if (stat.size > MAX_FILE_BYTES) {
          throw new CidcastError("PAYLOAD_TOO_LARGE", `${path} is larger than ${MAX_FILE_BYTES} bytes`);
        }
        const buffer = Buffer.alloc(stat.size);
        const { bytesRead } = await handle.read(buffer, 0, stat.size, 0);
        return buffer.subarray(0, bytesRead);
      } finally {
        await handle.close();
      }
    },
    write(path, bytes, checkMore) {
      const work = async (): Promise<void> => {
        if (bytes.length > MAX_FILE_BYTES) {
          throw new CidcastError("PAYLOAD_TOO_LARGE", `A file has at most ${MAX_FILE_BYTES} bytes`);
        }
        const names = namesOf(path);
        const name = names.at(-1);
        if (name === undefined) throw notFile(path);
        await ready();
        const before = await usageOf(root);
        if (before.files + names.length > MAX_FILES) {
          throw new CidcastError("LIMIT_REACHED", `A tenant has at most ${MAX_FILES} files`);
        }
        checkMore(before.bytes, bytes.length);
        const directory = await walk(root, names.slice(0, -1), "make");
        const target = join(directory, name);
        const there = await lstat(target).catch(() => undefined);
        if (there !== undefined && !there.isFile()) throw notFile(path);
        const partial = join(directory, PARTIAL + randomUUID());
        const handle = await open(partial, "wx", 0o600);
        try {
          await handle.writeFile(bytes);
        } finally {
          await handle.close();
        }
        // A rename replaces what has the name, link or not, and never writes through it.
        await rename(partial, target).catch(async (cause: unknown) => {
          await rm(partial, { force: true });
          throw new CidcastError("STORAGE_FAILED", `${path} cannot be written`, { cause });
        });
      };
      const result = writes.then(work);
      writes = result.catch(() => undefined);
      return result;
    },
    async list(path) {
      await ready();
      const directory = await walk(root, namesOf(path), "directory");
      const entries: FileEntry[] = [];
      for await (const entry of await opendir(directory)) {
        if (entry.name.startsWith(PARTIAL) || (!entry.isFile() && !entry.isDirectory())) continue;
        if (entries.length >= MAX_FILE_ENTRIES) return { entries: sorted(entries), more: true };
        const stat = await lstat(join(directory, entry.name)).catch(() => undefined);
        if (stat === undefined) continue;
        const type = entry.isDirectory() ? "directory" : "file";
        entries.push({ name: entry.name, type, size: type === "file" ? stat.size : 0 });
      }
      return { entries: sorted(entries), more: false };
    },
    async exists(path) {
      const names = namesOf(path);
      await ready();
      const target = await walk(root, names, "any").catch((error: unknown) => {
        if (error instanceof CidcastError && error.code === "PATH_NOT_FOUND") return undefined;
        throw error;
      });
      if (target === undefined) return undefined;
      return (await lstat(target)).isDirectory() ? "directory" : "file";
    },
    async usage() {
      await ready();
      return usageOf(root);
    },
  };
}

/** Names of a path below the tenant's directory, with or without a slash before. `INVALID_REQUEST` for `..` and the like. */
export function namesOf(path: string): string[] {
  const invalid = (problem: string): CidcastError =>
    new CidcastError("INVALID_REQUEST", `The path ${problem}`);
  if (path.length > MAX_FILE_PATH_LENGTH) throw invalid(`is longer than ${MAX_FILE_PATH_LENGTH} characters`);
  if (/[\p{Cc}\\]/u.test(path)) throw invalid("holds a control character or a backslash");
  const names = path.split("/").filter(name => name !== "" && name !== ".");
  if (names.includes("..")) throw invalid("leads out of the tenant's directory");
  if (names.some(name => Buffer.byteLength(name) > 255)) throw invalid("has a name of more than 255 bytes");
  if (names.some(name => name.startsWith(PARTIAL))) throw invalid("has a name that is reserved");
  if (names.length > MAX_FILE_DEPTH) throw invalid(`is deeper than ${MAX_FILE_DEPTH} directories`);
  return names;
}

/** Goes down name by name, so that a link anywhere on the way is seen. */
async function walk(
  root: string,
  names: readonly string[],
  want: "file" | "directory" | "make" | "any",
): Promise<string> {
  let at = root;
  for (const [index, name] of names.entries()) {
    at = join(at, name);
    const shown = names.slice(0, index + 1).join("/");
    const last = index === names.length - 1;
    if (want === "make") await mkdir(at, { mode: 0o700 }).catch(() => undefined);
    const stat = await lstat(at).catch(notThere(shown));
    if (stat.isSymbolicLink())
      throw new CidcastError("FORBIDDEN", `${shown} is a link: links are not followed`);
    if (!last || want === "directory" || want === "make") {
      if (!stat.isDirectory()) throw new CidcastError("NOT_A_DIRECTORY", `${shown} is not a directory`);
    } else if (want === "file" && !stat.isFile()) throw notFile(shown);
  }
  if (names.length === 0 && want === "file") throw notFile("/");
  return at;
}

async function usageOf(root: string): Promise<{ files: number; bytes: number }> {
  let [files, bytes] = [0, 0];
  const visit = async (directory: string, depth: number): Promise<void> => {
    if (depth > MAX_FILE_DEPTH) return;
    for await (const entry of await opendir(directory)) {
      files += 1;
      if (entry.isDirectory()) await visit(join(directory, entry.name), depth + 1);
      else if (entry.isFile())
        bytes += (await lstat(join(directory, entry.name)).catch(() => ({ size: 0 }))).size;
    }
  };
  await visit(root, 0);
  return { files, bytes };
}

function sorted(entries: FileEntry[]): FileEntry[] {
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function notFile(path: string): CidcastError {
  return new CidcastError("NOT_A_FILE", `${path} is not a file`);
}

function notThere(path: string): (cause: unknown) => never {
  return cause => {
    if (cause instanceof Error && "code" in cause && cause.code === "ELOOP") {
      throw new CidcastError("FORBIDDEN", `${path} is a link: links are not followed`, { cause });
    }
    throw new CidcastError("PATH_NOT_FOUND", `There is no ${path}`, { cause });
  };
}
