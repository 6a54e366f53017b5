import type { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { formatBytes, table } from "../../output/output.ts";

/** `cidcast stat`. */
export function statCommand(environment: CliEnvironment): Command {
  return nodeCommand("stat", "size of some content, and how much of it is here")
    .argument("<ref>", "CID, or CID and path")
    .action(async (ref: string, flags: CommonOptions) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        const stat = await api.stat(ref, { signal });
        output.result(
          stat,
          table([
            ["cid", stat.cid],
            ["type", stat.type],
            ["size", `${stat.size} (${formatBytes(stat.size)})`],
            ["blocks here", String(stat.localBlocks)],
            ["complete", stat.complete ? "yes" : "no"],
          ]),
        );
      }),
    );
}
