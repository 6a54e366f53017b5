import { getCACertificates, setDefaultCACertificates } from "node:tls";
import type { Command } from "commander";
import { ownerPrincipal, silentLogger } from "../../../core/index.ts";
import { configOf, findApi } from "../../api/open-api.ts";
import { type CommonOptions, nodeCommand } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";

/** `cidcast mcp`: MCP on standard input and output, for desktop agents. Over a running node, or the data directory itself. */
export function mcpCommand(environment: CliEnvironment): Command {
  return nodeCommand("mcp", "speak MCP (Model Context Protocol) on standard input and output").action(
    async (flags: CommonOptions) => {
      const { stdin, stdout, signal } = environment;
      const config = configOf(environment, flags);
      await using running = await findApi(environment, flags);
      if (running?.url !== undefined) {
        const url = new URL("/mcp", running.url).href;
        const { ca } = running;
        // The bridge's requests take no certificate of their own: this process has no other use of TLS.
        if (ca !== undefined) setDefaultCACertificates([...getCACertificates("default"), ca.toString()]);
        const { bridgeStdio } = await import("../../../mcp/index.ts");
        await bridgeStdio({ stdin, stdout, url, token: config.token, signal });
        return;
      }
      const settings = { ...config, sample: false, mcp: { ...config.mcp, enabled: true } };
      await using node = await environment.openNode(settings, {
        serve: false,
        mcp: true,
        log: silentLogger,
      });
      await node.mcp?.serveStdio({ stdin, stdout, principal: { ...ownerPrincipal, door: "cli" }, signal });
    },
  );
}
