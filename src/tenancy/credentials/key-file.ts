import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { CidcastError } from "../../core/index.ts";

const KEY_BYTES = 32;

/** Reads a key of 32 bytes, making it on first use, readable by the owner only. */
export function readOrMakeKeyFile(file: string): Buffer {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    if (!existsSync(file)) makeKeyFile(file);
    // A crash may have left one that was never used.
    rmSync(unfinished(file), { force: true });
  } catch (cause) {
    throw new CidcastError("STORAGE_FAILED", `The key ${file} cannot be written`, { cause });
  }
  return readKeyFile(file);
}

/** The name appears with the whole key behind it: a crash at any moment leaves none or all of it. */
function makeKeyFile(file: string): void {
  const fresh = unfinished(file);
  // On the disk before anything is sealed with it: a power cut must not leave what nothing opens.
  writeFileSync(fresh, `${randomBytes(KEY_BYTES).toString("base64url")}\n`, { mode: 0o600, flush: true });
  renameSync(fresh, file);
  flushDirectory(dirname(file));
}

function unfinished(file: string): string {
  return `${file}.new`;
}

/** Reads a key of 32 bytes. `STORAGE_FAILED` when others may read the file or it holds no key. */
export function readKeyFile(file: string): Buffer {
  if (process.platform !== "win32" && (statSync(file).mode & 0o077) !== 0) {
    throw new CidcastError("STORAGE_FAILED", `Others may read the key ${file}: chmod 600 it`);
  }
  const key = Buffer.from(readFileSync(file, "utf8").trim(), "base64url");
  if (key.length !== KEY_BYTES) {
    throw new CidcastError("STORAGE_FAILED", `The key ${file} is damaged: restore it from a backup`);
  }
  return key;
}

/** Where the next key lies while a rotation runs, so that a crash in the middle loses neither. */
export function nextKeyFile(file: string): string {
  return `${file}.next`;
}

/** The next key, when a rotation was begun and not ended. */
export function readNextKey(file: string): Buffer | undefined {
  const next = nextKeyFile(file);
  return existsSync(next) ? readKeyFile(next) : undefined;
}

/** The rotation is done: the next key takes the place of the old one. */
export function promoteNextKey(file: string): void {
  renameSync(nextKeyFile(file), file);
  flushDirectory(dirname(file));
}

/** Makes names of new files last, where the system can. */
function flushDirectory(directory: string): void {
  if (process.platform === "win32") return;
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
