import { base58btc } from "multiformats/bases/base58";
import { base32 } from "multiformats/bases/base32";
import { CID } from "multiformats/cid";
import { decode as decodeDigest } from "multiformats/hashes/digest";
import { messageOf } from "../../core/index.ts";
import { blockKey, parseCid } from "../dag/cid.ts";
import { hashName, SHA2_256 } from "../dag/hash.ts";
import { MAX_DENYLIST_LINE_LENGTH, MAX_DENYLIST_RULES } from "../limits.ts";

/** A rule on a CID and what is below it. */
export interface PathRule {
  /** Without slashes at its ends; empty: the CID itself. */
  readonly path: string;
  /** Also what begins with `path`. */
  readonly isPrefix: boolean;
  /** An exception from the rules before it. */
  readonly allows: boolean;
}

/** The rules of one or more lists, for looking up. */
export interface Rules {
  /** By multihash, in the order of the lists: of those that fit, the last one counts. */
  readonly byHash: Map<string, PathRule[]>;
  /** Hashes of hidden paths, by the hash function they were made with: true, or false for an exception. */
  readonly hidden: Map<number, Map<string, boolean>>;
  count: number;
}

/** A line that is no rule this node can follow. */
export interface BadLine {
  readonly line: number;
  readonly reason: string;
}

export function noRules(): Rules {
  return { byHash: new Map(), hidden: new Map(), count: 0 };
}

/** The version of the format that is read. @see https://specs.ipfs.tech/compact-denylist-format/ */
const VERSION = 1;

/** Longest head of a list that is looked for, characters. */
const MAX_HEAD_LENGTH = 1024 * 1024;

/**
 * Reads a list in the compact format into `rules`; gives the lines that could not be followed. Rules on `/ipns` are passed
 * over: this node resolves no names. Throws when the list is of another version.
 */
export function readRules(text: string, rules: Rules): BadLine[] {
  const { body, line: first } = withoutHead(text);
  const bad: BadLine[] = [];
  let line = first;
  for (const raw of lines(body)) {
    line++;
    const [rule] = raw.trim().split(/\s/, 1);
    if (rule === undefined || rule === "" || rule.startsWith("#")) continue;
    try {
      if (raw.length > MAX_DENYLIST_LINE_LENGTH) throw new Error("the line is too long");
      if (addRule(rule, rules)) rules.count++;
      if (rules.count > MAX_DENYLIST_RULES) break;
    } catch (error) {
      bad.push({ line, reason: messageOf(error) });
    }
  }
  if (rules.count > MAX_DENYLIST_RULES) throw new Error(`there are more than ${MAX_DENYLIST_RULES} rules`);
  return bad;
}

function* lines(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    yield text.slice(at, end === -1 ? text.length : end);
    at = end === -1 ? text.length : end + 1;
  }
}

/** Takes the YAML at the beginning away, of which the version alone matters here. */
function withoutHead(text: string): { readonly body: string; readonly line: number } {
  const head = /^(?:[^\n]*\n)*?---\r?(?:\n|$)/.exec(text.slice(0, MAX_HEAD_LENGTH))?.[0];
  if (head === undefined) return { body: text, line: 0 };
  const version = /^version:\s*["']?(\d+)/m.exec(head)?.[1];
  if (version !== undefined && Number(version) !== VERSION) {
    throw new Error(`it is of version ${version} of the format; ${VERSION} is read`);
  }
  return { body: text.slice(head.length), line: head.split("\n").length - 1 };
}

/** False for a rule that has no meaning here. */
function addRule(text: string, rules: Rules): boolean {
  const allows = /^[!+-]/.test(text);
  const rule = allows ? text.slice(1) : text;
  if (rule.startsWith("//")) {
    addHidden(rule.slice(2).replace(/\/$/, ""), !allows, rules);
    return true;
  }
  if (rule.startsWith("/ipns/")) return false;
  const [, rest] = /^\/(?:ipfs|ipld)\/(.+)$/.exec(rule) ?? [];
  if (rest === undefined) throw new Error("it is neither /ipfs/…, /ipns/… nor //…");
  const slash = rest.indexOf("/");
  const cid = slash === -1 ? rest : rest.slice(0, slash);
  const key = blockKey(parseCid(cid));
  const list = rules.byHash.get(key) ?? [];
  list.push({ ...pathOf(slash === -1 ? "" : rest.slice(slash + 1)), allows });
  rules.byHash.set(key, list);
  return true;
}

/** `a/b`, and `a*` or `a/*`, which are the same: everything that begins with `a`. */
function pathOf(text: string): { readonly path: string; readonly isPrefix: boolean } {
  const isPrefix = text.endsWith("*");
  const bare = isPrefix ? text.replace(/\/?\*$/, "") : text;
  return { path: decodeURIComponent(bare).replace(/^\/+|\/+$/g, ""), isPrefix };
}

/** A multihash in base58, or the hex digits of a sha2-256. */
function addHidden(text: string, value: boolean, rules: Rules): void {
  const { code, digest } = /^[\da-f]{64}$/i.test(text)
    ? { code: SHA2_256, digest: Buffer.from(text, "hex") }
    : decodeDigest(base58btc.baseDecode(text));
  if (hashName(code) === undefined) throw new Error(`hash 0x${code.toString(16)} cannot be computed here`);
  const digests = rules.hidden.get(code) ?? new Map<string, boolean>();
  digests.set(Buffer.from(digest).toString("latin1"), value);
  rules.hidden.set(code, digests);
}

/** The texts under which a CID and a path may be hidden: by multihash, and by CID of version 1 with the codecs a block may be asked under. */
export function hiddenNames(cid: CID, path: string, codecs: readonly number[]): string[] {
  const multihash = base58btc.baseEncode(cid.multihash.bytes);
  const names = [path === "" ? multihash : `${multihash}/${path}`];
  for (const codec of new Set([cid.code, ...codecs])) {
    names.push(`${CID.createV1(codec, cid.multihash).toString(base32)}/${path}`);
  }
  return names;
}
