import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";
import type { Command } from "commander";
import { CidcastError } from "../../../core/index.ts";
import { type CommandContext, type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { createProgress, type Progress } from "../../output/progress.ts";
import { waitFor } from "./transfer.ts";
import { saveStream } from "../../output/save.ts";

/** Deepest directory that is written: deeper ones are made to hurt. */
const MAX_DEPTH = 64;

interface GetFlags extends CommonOptions {
  readonly output?: string;
  readonly force?: boolean;
  readonly from?: readonly string[];
}

/** `cidcast get`. */
export function getCommand(environment: CliEnvironment): Command {
  return nodeCommand("get", "save a file or directory")
    .argument("<ref>", "CID, or CID and path")
    .option("-o, --output <path>", "where to; default its name, here")
    .option("--force", "replace what is there")
    .option(
      "--from <source...>",
      "bring it here first: multiaddrs, PeerIds, http(s):// of nodes and gateways",
    )
    .action(async (ref: string, flags: GetFlags) =>
      withNode(environment, flags, async context => {
        if (flags.from !== undefined) await bring(context, ref, flags.from);
        const stat = await context.api.stat(ref, { signal: context.signal });
        const target = resolve(environment.cwd, flags.output ?? (await nameOf(context, ref, stat.cid)));
        if (existsSync(target) && flags.force !== true) {
          throw new CidcastError(
            "CONFLICT",
            `${target} is there already: choose another with -o, or --force`,
          );
        }
        const progress = createProgress(environment, {
          label: basename(target),
          totalBytes: stat.type === "file" ? stat.size : undefined,
          quiet: context.output.json,
        });
        const saver = new Saver(context, progress);
        try {
          if (stat.type === "file") await saver.file(stat.cid, target);
          else await saver.directory(stat.cid, target, 0);
        } finally {
          progress.done();
        }
        context.output.result({ cid: stat.cid, path: target, bytes: saver.bytes }, target);
      }),
    );
}

/** Brings all of what the reference begins with, unpinned. */
async function bring(context: CommandContext, ref: string, from: readonly string[]): Promise<void> {
  const [cid = ""] = ref.replace(/^\/?ipfs\//, "").split("/");
  const { api, signal } = context;
  await waitFor(context, await api.beginTransfer({ cid, from: [...from], pin: false }, { signal }));
}

async function nameOf({ api, signal }: CommandContext, ref: string, cid: string): Promise<string> {
  const last = ref
    .split("/")
    .filter(part => part !== "")
    .at(-1);
  if (last !== undefined && last !== cid && ref.includes("/") && !ref.endsWith(cid)) return safeName(last);
  for await (const record of api.list(cid, { signal })) {
    if (record.cid === cid && record.name !== undefined) return safeName(record.name);
  }
  return cid;
}

/** Writes content to disk: whole files only, and never outside the place it was told. */
class Saver {
  bytes = 0;
  readonly #context: CommandContext;
  readonly #progress: Progress;

  constructor(context: CommandContext, progress: Progress) {
    this.#context = context;
    this.#progress = progress;
  }

  async directory(cid: string, target: string, depth: number): Promise<void> {
    if (depth > MAX_DEPTH)
      throw new CidcastError("UNSUPPORTED_DAG", `Directories are more than ${MAX_DEPTH} deep`);
    await mkdir(target, { recursive: true });
    for await (const entry of this.#context.api.ls(cid, { signal: this.#context.signal })) {
      const path = join(target, safeName(entry.name));
      if (entry.type === "directory") await this.directory(entry.cid, path, depth + 1);
      else await this.file(entry.cid, path);
    }
  }

  async file(cid: string, target: string): Promise<void> {
    const chunks = this.#context.api.cat(cid, { signal: this.#context.signal });
    await saveStream(chunks, target, {
      onBytes: more => {
        this.bytes += more;
        this.#progress.update(this.bytes);
      },
    });
  }
}

/** Names in a directory are chosen by whoever made it. */
function safeName(name: string): string {
  const special = name === "" || name === "." || name === "..";
  if (!special && !name.includes("/") && !name.includes(sep) && !name.includes("\0")) return name;
  throw new CidcastError(
    "CORRUPT_DAG",
    `${JSON.stringify(name)} cannot be a file's name: choose one with -o`,
  );
}
