import { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { table } from "../../output/output.ts";

interface PinFlags extends CommonOptions {
  readonly name?: string;
}

/** `cidcast pin add`, `rm` and `ls`. */
export function pinCommand(environment: CliEnvironment): Command {
  const add = nodeCommand("add", "pin, fetching what is missing")
    .argument("<cid...>")
    .option("--name <name>", "name of the pin")
    .action(async (cids: string[], flags: PinFlags) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        for (const cid of cids) output.result(await api.pin(cid, flags.name, { signal }), `pinned ${cid}`);
      }),
    );
  const remove = nodeCommand("rm", "take a pin away")
    .argument("<cid...>")
    .option("--name <name>", "name of the pin")
    .action(async (cids: string[], flags: PinFlags) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        for (const cid of cids) {
          await api.unpin(cid, flags.name, { signal });
          output.result({ cid, unpinned: true }, `unpinned ${cid}`);
        }
      }),
    );
  const list = nodeCommand("ls", "list pins").action(async (flags: CommonOptions) =>
    withNode(environment, flags, async ({ api, output, signal }) => {
      const pins = await api.pins({ signal });
      if (output.json) for (const pin of pins) output.result(pin, "");
      else output.result(undefined, table(pins.map(pin => [pin.cid, pin.name])));
    }),
  );
  return new Command("pin")
    .description("pins keep content from garbage collection")
    .addCommand(add)
    .addCommand(remove)
    .addCommand(list);
}
