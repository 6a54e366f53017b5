import type { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { formatBytes, table } from "../../output/output.ts";

interface LsFlags extends CommonOptions {
  readonly search?: string;
}

/** `cidcast ls`. */
export function lsCommand(environment: CliEnvironment): Command {
  return nodeCommand("ls", "list what was added, or the entries of a directory")
    .argument("[ref]", "CID, or CID and path, of a directory")
    .option("--search <text>", "only records with this in their name")
    .action(async (ref: string | undefined, flags: LsFlags) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        const rows: string[][] = [];
        if (ref === undefined) {
          for await (const record of api.list(flags.search, { signal })) {
            if (output.json) output.result(record, "");
            else rows.push([record.cid, formatBytes(record.size), record.contentType, record.name ?? ""]);
          }
        } else {
          for await (const entry of api.ls(ref, { signal })) {
            if (output.json) output.result(entry, "");
            else {
              const slash = entry.type === "directory" ? "/" : "";
              rows.push([
                entry.cid,
                entry.size === undefined ? "-" : formatBytes(entry.size),
                `${entry.name}${slash}`,
              ]);
            }
          }
        }
        if (!output.json) output.result(undefined, table(rows));
      }),
    );
}
