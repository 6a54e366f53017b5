import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import { CidcastError, messageOf } from "../core/index.ts";
import { OPTIONS, type Option } from "./options.ts";
import { ALIASES } from "./aliases.ts";
import { type Config, type ConfigInput, configSchema } from "./schema.ts";

/** Name of the file that is read from the working directory when there is one. */
export const CONFIG_FILE = "cidcast.config.json";

/** Variables of the same prefix that are not settings of the node. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set(["CIDCAST_API", "CIDCAST_CONFIG"]);
/** Variables of the test suite. */
const TEST_PREFIX = "CIDCAST_TEST_";
/** Furthest a misspelt name may be from the one that is suggested, in edits. */
const MAX_TYPO = 4;

export interface LoadConfigInit {
  /** From the command line, by path: `{"webrtc.udpPort": "9000"}`. Text is converted. Strongest. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where `.env` and the configuration file are looked for. */
  readonly cwd?: string;
  /** A configuration file to read instead; it must exist. */
  readonly file?: string | undefined;
}

type Tree = { [key: string]: unknown };

/** Puts the settings together: flags over environment over `.env` over file over defaults. `INVALID_CONFIG` says which one is wrong. */
export function loadConfig(init: LoadConfigInit = {}): Config {
  const cwd = init.cwd ?? process.cwd();
  const env = { ...readDotEnv(cwd), ...init.env };
  const tree = readFile(cwd, init.file ?? env["CIDCAST_CONFIG"]);
  for (const { name, target, read } of ALIASES) {
    const text = env[name];
    const value = text === undefined || read === undefined ? text : read(text);
    if (value) assign(tree, optionOf("env", target, name), value, name);
  }
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("CIDCAST_") || name.startsWith(TEST_PREFIX) || OTHER_VARIABLES.has(name)) continue;
    if (value) assign(tree, optionOf("env", name, name), value, name);
  }
  for (const [path, value] of Object.entries(init.flags ?? {})) {
    if (value === undefined) continue;
    const option = optionOf("path", path, path);
    assign(tree, option, value, option.flag);
  }
  return parseConfig(tree);
}

/** Checks settings given as an object and fills in the defaults. */
export function parseConfig(input: ConfigInput | Tree): Config {
  const result = configSchema.safeParse(input);
  if (result.success) return result.data;
  throw new CidcastError("INVALID_CONFIG", result.error.issues.map(describe).join("; "));
}

function describe(issue: z.core.$ZodIssue): string {
  const path = issue.path.join(".");
  if (issue.code !== "unrecognized_keys") return `${path || "configuration"}: ${issue.message}`;
  const prefix = path === "" ? "" : `${path}.`;
  return issue.keys
    .map(key =>
      unknownName(
        prefix + key,
        OPTIONS.map(option => option.path),
      ),
    )
    .join("; ");
}

function unknownName(name: string, known: readonly string[]): string {
  const near = closest(name, known);
  const hint = distance(name, near) <= MAX_TYPO ? `, did you mean ${near}?` : "";
  return `there is no setting ${name}${hint}`;
}

function optionOf(field: "env" | "path", name: string, shown: string): Option {
  const option = OPTIONS.find(candidate => candidate[field] === name);
  if (option !== undefined) return option;
  throw new CidcastError(
    "INVALID_CONFIG",
    unknownName(
      shown,
      OPTIONS.map(candidate => candidate[field]),
    ),
  );
}

function assign(tree: Tree, option: Option, value: unknown, source: string): void {
  const path = option.path.split(".");
  const last = path.pop() ?? "";
  let place = tree;
  for (const part of path) {
    const next = place[part];
    const inner: Tree = isTree(next) ? next : {};
    place[part] = inner;
    place = inner;
  }
  place[last] = typeof value === "string" ? convert(option, value, source) : value;
}

function convert(option: Option, text: string, source: string): unknown {
  if (option.kind === "number") {
    const number = Number(text);
    if (text.trim() !== "" && Number.isFinite(number)) return number;
    throw new CidcastError("INVALID_CONFIG", `${source}: "${text}" is not a number`);
  }
  if (option.kind === "boolean") {
    if (["1", "true", "yes", "on"].includes(text.toLowerCase())) return true;
    if (["0", "false", "no", "off"].includes(text.toLowerCase())) return false;
    throw new CidcastError("INVALID_CONFIG", `${source}: "${text}" is neither true nor false`);
  }
  if (option.kind === "list") {
    return text
      .split(",")
      .map(part => part.trim())
      .filter(part => part !== "");
  }
  return text;
}

function readDotEnv(cwd: string): NodeJS.Dict<string> {
  const file = resolve(cwd, ".env");
  return existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {};
}

function readFile(cwd: string, given: string | undefined): Tree {
  const file = resolve(cwd, given ?? CONFIG_FILE);
  if (given === undefined && !existsSync(file)) return {};
  let tree: unknown;
  try {
    tree = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new CidcastError("INVALID_CONFIG", `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (!isTree(tree)) throw new CidcastError("INVALID_CONFIG", `${file} does not hold a JSON object`);
  delete tree["$schema"];
  return tree;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
