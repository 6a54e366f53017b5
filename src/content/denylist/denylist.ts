import { hash } from "node:crypto";
import type { CID } from "multiformats/cid";
import { CidcastError, type Counter, type Metrics } from "../../core/index.ts";
import { blockKey, DAG_CBOR, DAG_PB, parseRef, RAW } from "../dag/cid.ts";
import { hashName } from "../dag/hash.ts";
import { type BadLine, hiddenNames, noRules, type PathRule, readRules, type Rules } from "./rules.ts";

/** Codecs under which the bytes of a hidden CID may be asked for too. */
const CODECS = [DAG_PB, RAW, DAG_CBOR];

/** What the owner does not want to serve or fetch. */
export interface Denylist {
  /** Rules in force. */
  readonly size: number;
  /** True when a CID, or a path below it (`a/b`), is on the list. */
  has(cid: CID, path?: string): boolean;
  /** Throws `CONTENT_BLOCKED` where {@link has} is true. */
  check(cid: CID, path?: string): void;
}

/** A list in the compact format, and what it is called when something is wrong with it. */
export interface DenylistSource {
  readonly name: string;
  readonly text: string;
}

/** A list that can be replaced by another one while it is in use. */
export class ContentDenylist implements Denylist {
  readonly #blocked: Counter;
  #rules: Rules = noRules();

  constructor(metrics: Metrics) {
    this.#blocked = metrics.counter({
      name: "cidcast_content_blocked_total",
      help: "Requests refused because of a denylist.",
    });
    metrics.gauge({
      name: "cidcast_content_denylist_rules",
      help: "Rules of denylists in force.",
      collect: () => this.size,
    });
  }

  get size(): number {
    return this.#rules.count;
  }

  /** Puts other lists in force; gives the lines that cannot be followed. `INVALID_CONFIG` when a list cannot be read: then nothing has changed. */
  replace(sources: readonly DenylistSource[]): { readonly name: string; readonly bad: BadLine[] }[] {
    const rules = noRules();
    const told = sources.map(({ name, text }) => {
      try {
        return { name, bad: readRules(text, rules) };
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new CidcastError("INVALID_CONFIG", `The denylist ${name} cannot be read: ${why}`, { cause });
      }
    });
    this.#rules = rules;
    return told;
  }

  has(cid: CID, path = ""): boolean {
    const { byHash, hidden } = this.#rules;
    if (this.#rules.count === 0) return false;
    const rule = byHash.get(blockKey(cid))?.findLast(candidate => fits(candidate, path));
    if (rule !== undefined) return !rule.allows;
    if (hidden.size === 0) return false;
    const names = hiddenNames(cid, path, CODECS);
    for (const [code, digests] of hidden) {
      for (const name of names) {
        const found = digests.get(hash(hashName(code) ?? "", name, "buffer").toString("latin1"));
        if (found !== undefined) return found;
      }
    }
    return false;
  }

  /** As {@link check}, for `<cid>/a/b`. */
  checkRef(ref: string): void {
    const { cid, path } = parseRef(ref);
    this.check(cid, path.join("/"));
  }

  check(cid: CID, path = ""): void {
    if (!this.has(cid, path)) return;
    this.#blocked.add();
    const below = path === "" ? "" : `/${path}`;
    throw new CidcastError(
      "CONTENT_BLOCKED",
      `${cid.toString()}${below} is on a denylist of this node and is not served`,
    );
  }
}

function fits(rule: PathRule, path: string): boolean {
  return rule.isPrefix ? path.startsWith(rule.path) : path === rule.path;
}

/** No list at all. */
export const noDenylist: Denylist = { size: 0, has: () => false, check: () => undefined };
