import type { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { table } from "../../output/output.ts";

/** `cidcast id`. */
export function idCommand(environment: CliEnvironment): Command {
  return nodeCommand("id", "the node's peer id and addresses").action(async (flags: CommonOptions) =>
    withNode(environment, flags, async ({ api, output, signal }) => {
      const id = await api.id({ signal });
      const { state, nat, relays } = id.reachability ?? { state: undefined, nat: undefined, relays: [] };
      const reach = state === undefined ? [] : [`reachable: ${state} (NAT: ${nat})`];
      const through = relays.map(({ relay, state: place, reason }) =>
        [`relay ${relay}: ${place}`, ...(reason === undefined ? [] : [reason])].join(", "),
      );
      output.result(
        id,
        [id.peerId ?? "libp2p is switched off", ...id.addresses, ...reach, ...through].join("\n"),
      );
    }),
  );
}

/** `cidcast version`. */
export function versionCommand(environment: CliEnvironment): Command {
  return nodeCommand("version", "version of this program, and of the node where one runs").action(
    async (flags: CommonOptions) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        const { version, node } = await api.version({ signal });
        const cli = environment.version;
        output.result(
          { version: cli, node: { version, url: api.url, runtime: node } },
          api.url === undefined || version === cli ? `cidcast ${cli}` : `cidcast ${cli}, node ${version}`,
        );
      }),
  );
}

/** `cidcast status`. */
export function statusCommand(environment: CliEnvironment): Command {
  return nodeCommand("status", "how the node is: its parts, content, peers and viewers").action(
    async (flags: CommonOptions) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        const status = await api.status({ signal });
        const parts = status.parts.map(({ name, state, reason }) => [name, state, reason ?? ""]);
        const figures = [
          ["content", String(status.contentCount)],
          ["peers", String(status.peers)],
          ["viewers", `${status.sessions} of ${status.maxSessions}`],
        ];
        output.result(status, `${table(figures)}\n${table(parts)}`);
      }),
  );
}

/** `cidcast stop`. */
export function stopCommand(environment: CliEnvironment): Command {
  return nodeCommand("stop", "stop the running node").action(async (flags: CommonOptions) =>
    withNode(
      environment,
      flags,
      async ({ api, output, signal }) => {
        await api.shutdown({ signal });
        output.result({ stopping: true }, "stopping");
      },
      "running",
    ),
  );
}
