import { Command, Option } from "commander";
import { type ApiOptions, openApi, requireRunning } from "./api/open-api.ts";
import type { NodeApi } from "./api/node-api.ts";
import type { CliEnvironment } from "./environment.ts";
import { createOutput, type Output } from "./output/output.ts";

/** What a command's action works with. */
export interface CommandContext {
  readonly environment: CliEnvironment;
  readonly output: Output;
  readonly api: NodeApi;
  readonly options: CommonOptions;
  readonly signal: AbortSignal;
}

/** Options that every command has. */
export interface CommonOptions extends ApiOptions {
  readonly json?: boolean;
}

/** A command of a node, with the options they all share. */
export function nodeCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(new Option("--api <url>", "address of a running node (CIDCAST_API)"))
    .addOption(new Option("--data-dir <dir>", "data directory (CIDCAST_DATA_DIR)"))
    .addOption(new Option("--token <token>", "the node's token (CIDCAST_TOKEN)"))
    .addOption(new Option("--config <file>", "configuration file (CIDCAST_CONFIG)"))
    .option("--json", "one JSON value per line");
}

/** Runs `work` with a node, and lets go of it afterwards, whatever happened. */
export async function withNode(
  environment: CliEnvironment,
  options: CommonOptions,
  work: (context: CommandContext) => Promise<void>,
  kind: "any" | "running" = "any",
): Promise<void> {
  const output = createOutput(environment, options.json === true);
  await using api = await (kind === "running" ? requireRunning : openApi)(environment, options);
  await work({ environment, output, api, options, signal: environment.signal });
}
