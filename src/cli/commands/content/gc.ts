import type { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { formatBytes } from "../../output/output.ts";

/** `cidcast gc`. */
export function gcCommand(environment: CliEnvironment): Command {
  return nodeCommand("gc", "remove blocks that no pin, viewer or transfer needs").action(
    async (flags: CommonOptions) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        const { removedBlocks, freedBytes } = await api.gc({ signal });
        output.result(
          { removedBlocks, freedBytes },
          `${removedBlocks} blocks removed, ${formatBytes(freedBytes)} freed`,
        );
      }),
  );
}
