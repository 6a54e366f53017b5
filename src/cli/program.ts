import { Command, CommanderError } from "commander";
import { CidcastError, toCidcastError } from "../core/index.ts";
import { addCommand } from "./commands/content/add.ts";
import { carCommand } from "./commands/content/car.ts";
import { catCommand } from "./commands/content/cat.ts";
import { gcCommand } from "./commands/content/gc.ts";
import { getCommand } from "./commands/content/get.ts";
import { lsCommand } from "./commands/content/ls.ts";
import { pinCommand } from "./commands/content/pin.ts";
import { rmCommand } from "./commands/content/rm.ts";
import { statCommand } from "./commands/content/stat.ts";
import { transferCommand } from "./commands/content/transfer.ts";
import { playCommand } from "./commands/media/play.ts";
import { captionsCommand } from "./commands/media/captions.ts";
import { jobsCommand, prepareCommand } from "./commands/media/prepare.ts";
import { probeCommand } from "./commands/media/probe.ts";
import { whyStalledCommand } from "./commands/media/why-stalled.ts";
import { idCommand, statusCommand, stopCommand, versionCommand } from "./commands/node/about.ts";
import { checkCommand } from "./commands/node/check.ts";
import { backupCommand, restoreCommand } from "./commands/node/backup.ts";
import { credentialsCommand } from "./commands/node/credentials.ts";
import { mcpCommand } from "./commands/node/mcp.ts";
import { peersCommand } from "./commands/node/peers.ts";
import { tokenCommand } from "./commands/node/token.ts";
import { startCommand } from "./commands/node/start.ts";
import { webhookCommand } from "./commands/node/webhook.ts";
import type { CliEnvironment } from "./environment.ts";
import { EXIT, EXIT_HELP, ExitWith, exitCodeOf } from "./exit-codes.ts";
import { errorLine } from "./output/output.ts";

/** Runs one command; resolves with the exit code. Never throws. */
export async function runCli(argv: readonly string[], environment: CliEnvironment): Promise<number> {
  const json = argv.includes("--json");
  try {
    await createProgram(environment).parseAsync([...argv], { from: "user" });
    return EXIT.ok;
  } catch (thrown) {
    // Help and the version were asked for and are out already.
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return EXIT.ok;
    if (thrown instanceof ExitWith) return thrown.exitCode;
    const interrupted = environment.signal.aborted;
    const error = interrupted ? new CidcastError("ABORTED", "Interrupted") : errorOf(thrown);
    environment.stderr.write(`${errorLine(error, json)}\n`);
    return exitCodeOf(error.code);
  }
}

function createProgram(environment: CliEnvironment): Command {
  const program = new Command("cidcast")
    .description(
      "An IPFS media streaming node: put a file in, get a CID; open the CID in a browser and it plays.",
    )
    .version(environment.version, "-V, --version")
    .addHelpText("after", EXIT_HELP);
  for (const make of [
    startCommand,
    addCommand,
    lsCommand,
    statCommand,
    catCommand,
    getCommand,
    carCommand,
    pinCommand,
    rmCommand,
    gcCommand,
    transferCommand,
    probeCommand,
    playCommand,
    captionsCommand,
    prepareCommand,
    jobsCommand,
    whyStalledCommand,
    idCommand,
    versionCommand,
    statusCommand,
    checkCommand,
    peersCommand,
    webhookCommand,
    tokenCommand,
    credentialsCommand,
    backupCommand,
    restoreCommand,
    stopCommand,
    mcpCommand,
  ]) {
    program.addCommand(make(environment));
  }
  prepare(program, environment);
  return program;
}

/** Errors are thrown and printed in one place; help goes where the program writes. */
function prepare(command: Command, environment: CliEnvironment): void {
  command.exitOverride(error => {
    if (error.code !== "commander.help") throw error;
    const names = command.commands.map(below => below.name()).join(", ");
    const some = command.parent === null ? "" : `, one of ${names}`;
    const message = `A command is needed${some}: see ${pathOf(command)} --help`;
    throw new CidcastError("INVALID_REQUEST", message, { cause: error });
  });
  command.configureOutput({
    writeOut: text => void environment.stdout.write(text),
    writeErr: () => undefined,
    outputError: () => undefined,
  });
  for (const below of command.commands) prepare(below, environment);
}

/** As it is typed. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function errorOf(thrown: unknown): CidcastError {
  if (!(thrown instanceof CommanderError)) return toCidcastError(thrown);
  const message = thrown.message.replace(/^error: /, "").trim();
  return new CidcastError("INVALID_REQUEST", message, { cause: thrown });
}
