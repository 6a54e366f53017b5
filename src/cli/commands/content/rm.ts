import type { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";

/** `cidcast rm`. */
export function rmCommand(environment: CliEnvironment): Command {
  return nodeCommand("rm", "remove content and its pins; its blocks go at the next gc")
    .argument("<cid...>")
    .action(async (cids: string[], flags: CommonOptions) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        for (const cid of cids) {
          await api.remove(cid, { signal });
          output.result({ cid, removed: true }, `removed ${cid}`);
        }
      }),
    );
}
