import type { AddResult } from "@cidcast/protocols/node-api";
import type { Command } from "commander";
import { CidcastError, toCidcastError } from "../../../core/index.ts";
import type { ApiAddOptions } from "../../api/node-api.ts";
import { type CommandContext, type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { printable } from "../../output/output.ts";
import { createProgress } from "../../output/progress.ts";
import { counted, type Source, sourceOf } from "./sources.ts";

interface AddFlags extends CommonOptions {
  readonly name?: string;
  readonly pin: boolean;
  readonly pinName?: string;
  readonly prepare?: boolean;
}

/** `cidcast add`. */
export function addCommand(environment: CliEnvironment): Command {
  return nodeCommand("add", "add files, directories or standard input (-) and print their CIDs")
    .argument("<path...>", "files or directories; - for standard input")
    .option("--name <name>", "name, for one path")
    .option("--no-pin", "do not pin: a garbage collection may take it")
    .option("--pin-name <name>", "name of the pin")
    .option("--prepare", "put a job into the queue that makes a prepared ladder of each file")
    .action(async (paths: string[], flags: AddFlags) => {
      if (flags.name !== undefined && paths.length > 1) {
        throw new CidcastError("INVALID_REQUEST", "--name is for one path");
      }
      await withNode(environment, flags, async context => {
        for (const path of paths) {
          const source = await sourceOf(path, environment);
          const result = await addOne(context, source, flags);
          context.output.result(result, line(result));
          if (flags.prepare === true) await prepareAdded(context, result);
        }
      });
    });
}

/** What cannot be prepared was added all the same: the reason is told, and nothing fails. */
async function prepareAdded({ api, output, signal }: CommandContext, added: AddResult): Promise<void> {
  for (const { cid } of added.files ?? [added]) {
    try {
      output.note(`job ${await api.prepare(cid, { signal })} prepares ${cid}`);
    } catch (error) {
      const { code, message } = toCidcastError(error);
      if (signal.aborted) throw error;
      output.note(`not prepared: ${message} [${code}]`);
    }
  }
}

async function addOne(
  { api, environment, output, signal }: CommandContext,
  source: Source,
  flags: AddFlags,
): Promise<AddResult> {
  const name = flags.name ?? source.name;
  const progress = createProgress(environment, {
    label: name ?? "standard input",
    totalBytes: source.totalBytes,
    quiet: output.json,
  });
  let bytes = 0;
  const onBytes = (more: number): void => {
    bytes += more;
    progress.update(bytes);
  };
  const options: ApiAddOptions = {
    signal,
    ...(name !== undefined && { name }),
    ...(flags.pin ? flags.pinName !== undefined && { pin: flags.pinName } : { pin: false as const }),
  };
  try {
    if (source.kind === "directory") return await api.addDirectory(source.entries(onBytes), options);
    return await api.add(counted(source.open(), onBytes), {
      ...options,
      ...(source.totalBytes !== undefined && { totalBytes: source.totalBytes }),
    });
  } finally {
    progress.done();
  }
}

function line({ cid, name }: AddResult): string {
  return name === undefined ? cid : `${cid}  ${printable(name)}`;
}
