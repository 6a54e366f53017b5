import { CidcastError } from "../../core/index.ts";
import { checkName, shorten } from "../dag/cid.ts";
import { MAX_PATH_DEPTH, MAX_REF_LENGTH } from "../limits.ts";
import type { BuiltNode } from "./file-builder.ts";

/** A directory that is being put together. */
export class DirectoryTree {
  readonly entries = new Map<string, DirectoryTree | BuiltNode | "reserved">();

  /** Takes a path for a file, before its content is read. `INVALID_REQUEST` when it cannot be one, or is taken. */
  reserve(path: string): void {
    const names = splitPath(path);
    const last = names.at(-1) ?? "";
    const parent = this.#parentOf(path, names);
    if (parent.entries.has(last)) {
      throw new CidcastError("INVALID_REQUEST", `“${shorten(path)}” is in the directory twice`);
    }
    parent.entries.set(last, "reserved");
  }

  /** Puts a file at a path that was reserved. */
  set(path: string, node: BuiltNode): void {
    const names = splitPath(path);
    this.#parentOf(path, names).entries.set(names.at(-1) ?? "", node);
  }

  /** The directory in which the last name of a path stands, made where it is new. */
  #parentOf(path: string, [name, ...rest]: readonly string[]): DirectoryTree {
    if (name === undefined || rest.length === 0) return this;
    const next = this.entries.get(name) ?? new DirectoryTree();
    if (!(next instanceof DirectoryTree)) {
      throw new CidcastError("INVALID_REQUEST", `“${shorten(path)}” goes through a file`);
    }
    this.entries.set(name, next);
    return next.#parentOf(path, rest);
  }
}

function splitPath(path: string): string[] {
  if (path.length > MAX_REF_LENGTH) {
    throw new CidcastError("INVALID_REQUEST", `A path is longer than ${MAX_REF_LENGTH} characters`);
  }
  const names = path.split("/");
  if (names.length > MAX_PATH_DEPTH) {
    throw new CidcastError("INVALID_REQUEST", `A path has more than ${MAX_PATH_DEPTH} names`);
  }
  for (const name of names) checkName(name);
  return names;
}
