import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { Command } from "commander";
import { CidcastError } from "../../../core/index.ts";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { writeBytes } from "../../output/output.ts";
import { createProgress } from "../../output/progress.ts";
import { saveStream } from "../../output/save.ts";
import { counted, sourceOf } from "./sources.ts";

interface ExportFlags extends CommonOptions {
  readonly output?: string;
  readonly force?: boolean;
}

interface ImportFlags extends CommonOptions {
  readonly pin: boolean;
  readonly pinName?: string;
}

/** `cidcast car export` and `import`. */
export function carCommand(environment: CliEnvironment): Command {
  return new Command("car")
    .description("CAR files: content as blocks, to carry and keep")
    .addCommand(exportCommand(environment))
    .addCommand(importCommand(environment));
}

function exportCommand(environment: CliEnvironment): Command {
  return nodeCommand("export", "write the blocks of a file or directory as a CAR")
    .argument("<ref>", "CID, or CID and path")
    .option("-o, --output <path>", "where to; - for standard output; default <ref's last name>.car")
    .option("--force", "replace what is there")
    .action(async (ref: string, flags: ExportFlags) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        if (flags.output === "-") {
          for await (const chunk of api.exportCar(ref, { signal })) {
            if (!(await writeBytes(environment.stdout, chunk))) return;
          }
          return;
        }
        const target = resolve(environment.cwd, flags.output ?? `${basename(ref)}.car`);
        if (existsSync(target) && flags.force !== true) {
          throw new CidcastError(
            "CONFLICT",
            `${target} is there already: choose another with -o, or --force`,
          );
        }
        const progress = createProgress(environment, {
          label: basename(target),
          totalBytes: undefined,
          quiet: output.json,
        });
        let bytes = 0;
        try {
          await saveStream(api.exportCar(ref, { signal }), target, {
            onBytes: more => {
              bytes += more;
              progress.update(bytes);
            },
          });
        } finally {
          progress.done();
        }
        output.result({ path: target, bytes }, target);
      }),
    );
}

function importCommand(environment: CliEnvironment): Command {
  return nodeCommand("import", "take in the blocks of CARs and pin their roots")
    .argument("<path...>", "CAR files; - for standard input")
    .option("--no-pin", "do not pin: a garbage collection may take the blocks")
    .option("--pin-name <name>", "name of the pins")
    .action(async (paths: string[], flags: ImportFlags) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        for (const path of paths) {
          const source = await sourceOf(path, environment);
          if (source.kind === "directory") {
            throw new CidcastError("INVALID_REQUEST", `${path} is a directory, not a CAR file`);
          }
          const { totalBytes } = source;
          const progress = createProgress(environment, {
            label: source.name ?? "standard input",
            totalBytes,
            quiet: output.json,
          });
          let bytes = 0;
          const counting = counted(source.open(), more => {
            bytes += more;
            progress.update(bytes);
          });
          try {
            const result = await api.importCar(counting, {
              signal,
              ...(flags.pin
                ? flags.pinName !== undefined && { pin: flags.pinName }
                : { pin: false as const }),
              ...(totalBytes !== undefined && { totalBytes }),
            });
            output.result(
              result,
              [...result.roots, `${result.blocks} blocks, ${result.bytes} bytes`].join("\n"),
            );
          } finally {
            progress.done();
          }
        }
      }),
    );
}
