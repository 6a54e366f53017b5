import { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { table } from "../../output/output.ts";

interface AddFlags extends CommonOptions {
  readonly type?: string[];
  readonly filter?: string;
}

/** `cidcast webhook add`, `ls` and `rm`. */
export function webhookCommand(environment: CliEnvironment): Command {
  const add = nodeCommand("add", "post events to a URL from now on")
    .argument("<url>", "http or https")
    .option("--type <type...>", "notification types (default: all)")
    .option("--filter <expression>", "a filter of events")
    .action(async (url: string, { type: types, filter, ...flags }: AddFlags) =>
      withNode(
        environment,
        flags,
        async ({ api, output, signal }) => {
          const body = { url, ...(types && { types }), ...(filter !== undefined && { filter }) };
          const added = await api.addWebhook(body, { signal });
          output.result(added, `webhook ${added.id}\nkey of its signatures, told only now: ${added.secret}`);
        },
        "running",
      ),
    );
  const list = nodeCommand("ls", "list webhooks").action(async (flags: CommonOptions) =>
    withNode(
      environment,
      flags,
      async ({ api, output, signal }) => {
        const webhooks = await api.webhooks({ signal });
        if (output.json) for (const webhook of webhooks) output.result(webhook, "");
        else
          output.result(
            undefined,
            table(
              webhooks.map(({ id, url, types, delivered, lastError }) => [
                id,
                url,
                types.join(",") || "all",
                `${delivered} delivered`,
                lastError ?? "",
              ]),
            ),
          );
      },
      "running",
    ),
  );
  const remove = nodeCommand("rm", "take a webhook away")
    .argument("<id>")
    .action(async (id: string, flags: CommonOptions) =>
      withNode(
        environment,
        flags,
        async ({ api, output, signal }) => {
          await api.removeWebhook(id, { signal });
          output.result({ id, removed: true }, `removed ${id}`);
        },
        "running",
      ),
    );
  return new Command("webhook")
    .description("URLs that events are posted to, signed")
    .addCommand(add)
    .addCommand(list)
    .addCommand(remove);
}
