import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { CidcastError } from "../core/index.ts";

/** Length of the admin key before encoding, bytes. */
const ADMIN_KEY_BYTES = 32;
const RUNNING_FILE = "node.json";
const LOCK_FILE = "lock.db";

const runningSchema = z.object({
  url: z.url(),
  pid: z.number().int().positive(),
  /** File of the certificate it serves with, where it made that itself: whoever reads this file may trust it. */
  certificate: z.string().optional(),
});

/** Where a running node is found. */
export type RunningNode = z.output<typeof runningSchema>;

/** A data directory that this process alone uses until it is released. */
export interface DataDir extends Disposable {
  readonly path: string;
  /** Tells other processes where this node listens. */
  announce(running: RunningNode): void;
  /** The admin key, made on first use, readable by the owner only. */
  adminKey(): { readonly key: string; readonly file: string };
  /** The key that tokens are signed with, made on first use, readable by the owner only. */
  signingKey(): string;
  release(): void;
}

/** Takes a data directory, making it when it is new. `DATA_DIR_LOCKED` when another process has it. */
export function lockDataDir(path: string): DataDir {
  const lock = takeLock(path);
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    rmSync(join(path, RUNNING_FILE), { force: true });
    lock.close();
  };
  return {
    path,
    announce: running => writeFileSync(join(path, RUNNING_FILE), JSON.stringify(running), { mode: 0o600 }),
    adminKey: () => readOrMakeKey(join(path, "admin-key"), "admin key"),
    signingKey: () => readOrMakeKey(join(path, "signing-key"), "signing key").key,
    release,
    [Symbol.dispose]: release,
  };
}

/** The node that uses this data directory now, as far as it has told. It may have been killed since: ask it. */
export function findRunningNode(path: string): RunningNode | undefined {
  try {
    return runningSchema.parse(JSON.parse(readFileSync(join(path, RUNNING_FILE), "utf8")));
  } catch {
    // No file, or a half-written one: no node has said where it is.
    return undefined;
  }
}

/** The lock is SQLite's own file lock: the system drops it when the process dies, however it dies. */
function takeLock(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    lock = new DatabaseSync(join(path, LOCK_FILE));
    lock.exec("PRAGMA locking_mode = EXCLUSIVE");
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock?.close();
    if (cause instanceof Error && /locked|busy/i.test(cause.message)) {
      throw new CidcastError("DATA_DIR_LOCKED", `Another process uses the data directory ${path}`, { cause });
    }
    throw new CidcastError("STORAGE_FAILED", `The data directory ${path} cannot be used`, { cause });
  }
}

function readOrMakeKey(file: string, what: string): { readonly key: string; readonly file: string } {
  try {
    writeFileSync(file, `${randomBytes(ADMIN_KEY_BYTES).toString("base64url")}\n`, {
      mode: 0o600,
      flag: "wx",
    });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) {
      throw new CidcastError("STORAGE_FAILED", `The ${what} ${file} cannot be written`, { cause });
    }
  }
  const key = readFileSync(file, "utf8").trim();
  if (key.length === 0)
    throw new CidcastError("STORAGE_FAILED", `The ${what} ${file} is empty: remove the file`);
  return { key, file };
}
