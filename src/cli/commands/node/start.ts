import { Command } from "commander";
import { type Config, loadConfig } from "../../../config/index.ts";
import type { CidcastNode } from "../../../node.ts";
import type { CliEnvironment } from "../../environment.ts";
import { createOutput, type Output, table } from "../../output/output.ts";
import { playerUrl } from "../media/play.ts";
import { addSettingFlags, settingsOf } from "./start-flags.ts";

/** `cidcast start`: runs until it is told to stop. */
export function startCommand(environment: CliEnvironment): Command {
  const command = new Command("start")
    .description("start the node; flags are stronger than environment, .env and cidcast.config.json")
    .option("--config <file>", "configuration file (CIDCAST_CONFIG)")
    .option("--json", "one JSON value per line");
  addSettingFlags(command);
  return command.action(async (flags: Readonly<Record<string, unknown>>) => {
    const { env, cwd } = environment;
    const file = flags["config"];
    const config = loadConfig({
      env,
      cwd,
      flags: settingsOf(flags),
      file: typeof file === "string" ? file : undefined,
    });
    const output = createOutput(environment, flags["json"] === true);
    await run(environment, config, output);
  });
}

async function run(environment: CliEnvironment, config: Config, output: Output): Promise<void> {
  const { promise: asked, resolve: stop } = Promise.withResolvers<void>();
  environment.signal.addEventListener("abort", () => stop(), { once: true });
  environment.signal.throwIfAborted();
  await using node = await environment.openNode(config, { onShutdownRequest: stop });
  await announce(node, output);
  await asked;
  output.note("stopping");
}

async function announce(node: CidcastNode, output: Output): Promise<void> {
  const { config, url = "", sampleCid, adminKeyFile, version } = node;
  const sample = sampleCid === undefined ? undefined : playerUrl(url, sampleCid, config.token);
  const { parts } = await node.status();
  const off = parts.filter(part => part.state !== "ready");
  const facts = {
    event: "started",
    version,
    url,
    pid: process.pid,
    ...(sample !== undefined && { sample }),
    ...(node.peer !== undefined && { peerId: node.peer.id }),
    dataDir: config.dataDir,
    adminKeyFile,
    parts,
  };
  const rows = [
    ...(sample === undefined ? [] : [["play", sample]]),
    ["library", url],
    ["peer id", node.peer?.id ?? "none: libp2p is off"],
    ["data", config.dataDir],
    ["admin key", adminKeyFile],
    ...off.map(({ name, state, reason }) => [name, `${state}${reason === undefined ? "" : `: ${reason}`}`]),
  ];
  output.result(facts, `cidcast ${version}\n${table(rows.map(row => row.map(cell => ` ${cell}`)))}`);
}
