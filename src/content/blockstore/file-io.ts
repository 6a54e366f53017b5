import fs from "node:fs";
import { promisify } from "node:util";
import { CidcastError, isCidcastError, messageOf } from "../../core/index.ts";

/** The calls that write, as the stores use them: injected to let a test's disk be full or torn. */
export interface FileIo {
  /** Writes all bytes at the position, or rejects. What was written of them when it rejects is not known. */
  write(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void>;
  sync(fd: number): Promise<void>;
  truncate(fd: number, length: number): Promise<void>;
}

/** Most buffers given to one `writev`: the system's IOV_MAX. */
const MAX_IOV = 1024;

const writevOnce = (fd: number, buffers: readonly Uint8Array[], position: number): Promise<number> =>
  new Promise((resolve, reject) => {
    fs.writev(fd, buffers.slice(0, MAX_IOV), position, (error, written) =>
      error === null ? resolve(written) : reject(error),
    );
  });

/** The real disk. */
export const nodeFileIo: FileIo = {
  async write(fd, buffers, position) {
    let rest = buffers;
    let at = position;
    while (rest.length > 0) {
      const written = await writevOnce(fd, rest, at);
      at += written;
      rest = after(rest, written);
    }
  },
  sync: promisify(fs.fdatasync),
  truncate: promisify(fs.ftruncate),
};

/** What is left of the buffers when `written` bytes of them are gone. */
function after(buffers: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let skip = written;
  for (const [i, buffer] of buffers.entries()) {
    if (skip < buffer.byteLength) return [buffer.subarray(skip), ...buffers.slice(i + 1)];
    skip -= buffer.byteLength;
  }
  return [];
}

/** Reads up to `length` bytes: fewer at the end of the file. */
export function readUpTo(fd: number, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const step = (done: number): void => {
    fs.read(fd, bytes, done, length - done, position + done, (error, read) => {
      if (error !== null) reject(error);
      else if (read === 0 || done + read === length) resolve(bytes.subarray(0, done + read));
      else step(done + read);
    });
  };
  step(0);
  return promise;
}

/** Reads exactly `length` bytes; undefined when the file ends before. */
export async function readExactly(fd: number, position: number, length: number): Promise<Buffer | undefined> {
  const bytes = await readUpTo(fd, position, length);
  return bytes.byteLength === length ? bytes : undefined;
}

/** An error of the file system as one of ours: `STORAGE_FULL` when there is no room, else `STORAGE_FAILED`. */
export function storageError(what: string, cause: unknown): CidcastError {
  if (isCidcastError(cause)) return cause;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    return new CidcastError("STORAGE_FULL", `${what}: the disk has no room`, { cause });
  }
  return new CidcastError("STORAGE_FAILED", `${what}: ${messageOf(cause)}`, { cause });
}
