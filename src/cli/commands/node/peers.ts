import { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { table } from "../../output/output.ts";

/** `cidcast peers`, `cidcast peers connect`. */
export function peersCommand(environment: CliEnvironment): Command {
  const connect = nodeCommand("connect", "dial a peer")
    .argument("<multiaddr>")
    .action(async (address: string, flags: CommonOptions) =>
      withNode(
        environment,
        flags,
        async ({ api, output, signal }) => {
          const { peerId } = await api.connect(address, { signal });
          output.result({ peerId }, `connected to ${peerId}`);
        },
        "running",
      ),
    );
  const list = nodeCommand("ls", "list connected peers").action(async (flags: CommonOptions) =>
    withNode(
      environment,
      flags,
      async ({ api, output, signal }) => {
        const peers = await api.peers({ signal });
        if (output.json) for (const peer of peers) output.result(peer, "");
        else
          output.result(
            undefined,
            table(
              peers.map(({ peerId, direction, relayed, reputation, addresses }) => [
                peerId,
                relayed === true ? `${direction}, relayed` : direction,
                reputation === undefined ? "–" : reputation.score.toFixed(2),
                addresses.join(" "),
              ]),
            ),
          );
      },
      "running",
    ),
  );
  return new Command("peers")
    .description("connected peers")
    .addCommand(list, { isDefault: true })
    .addCommand(connect);
}
