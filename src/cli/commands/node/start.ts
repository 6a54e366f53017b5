import { Command } from "commander";
import { type Config, loadConfig } from "../../../config/index.ts";
import { toCidcastError } from "../../../core/index.ts";
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
    const load = (): Config =>
      loadConfig({
        env,
        cwd,
        flags: settingsOf(flags),
        file: typeof file === "string" ? file : undefined,
      });
    const output = createOutput(environment, flags["json"] === true);
    await run(environment, load, output);
  });
}

async function run(environment: CliEnvironment, load: () => Config, output: Output): Promise<void> {
  const { promise: asked, resolve: stop } = Promise.withResolvers<void>();
  environment.signal.addEventListener("abort", () => stop(), { once: true });
  environment.signal.throwIfAborted();
  await using node = await environment.openNode(load(), { onShutdownRequest: stop });
  await announce(node, output);
  const unfollow = environment.onReload(() => reload(node, load, output));
  await asked;
  unfollow();
  if (node.config.drainTimeoutMs > 0) output.note("letting viewers finish");
  await node.drain();
  output.note("stopping");
}

/** What cannot be read or used is told; the node goes on as it is. */
function reload(node: CidcastNode, load: () => Config, output: Output): void {
  try {
    const { applied, restart } = node.reload(load());
    const rest = restart.length === 0 ? "" : `; ${restart.join(", ")} need a restart`;
    output.note(`settings read again: ${applied.length === 0 ? "nothing new" : applied.join(", ")}${rest}`);
  } catch (error) {
    output.note(`the settings are as they were: ${toCidcastError(error).message}`);
  }
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
