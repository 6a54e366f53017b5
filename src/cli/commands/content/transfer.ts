import type { TransferBodyResult } from "@cidcast/protocols/node-api";
import { Command } from "commander";
import { CidcastError, isCidcastError } from "../../../core/index.ts";
import { isErrorCode } from "@cidcast/protocols/errors";
import { type CommandContext, type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { formatBytes, table } from "../../output/output.ts";
import { createProgress } from "../../output/progress.ts";

/** Time between two looks at a running transfer, milliseconds: four a second. */
const LOOK_INTERVAL_MS = 250;

interface StartFlags extends CommonOptions {
  readonly pin: boolean;
  readonly pinName?: string;
  readonly sourceToken?: string;
  readonly detach?: boolean;
}

/** `cidcast transfer`. */
export function transferCommand(environment: CliEnvironment): Command {
  const one = (name: string, description: string, verb: "resume" | "pause" | "cancel" | "show"): Command =>
    nodeCommand(name, description)
      .argument("<id>")
      .action(async (id: string, flags: CommonOptions) =>
        withNode(environment, flags, async ({ api, output, signal }) => {
          const transfer =
            verb === "show"
              ? await api.transfer(id, { signal })
              : await api.changeTransfer(id, verb, { signal });
          output.result(transfer, lineOf(transfer));
        }),
      );
  const list = nodeCommand("ls", "list transfers, newest first").action(async (flags: CommonOptions) =>
    withNode(environment, flags, async ({ api, output, signal }) => {
      const transfers = await api.transfers({ signal });
      if (output.json) for (const transfer of transfers) output.result(transfer, "");
      else output.result(undefined, table(transfers.map(rowOf)));
    }),
  );
  return new Command("transfer")
    .description("bring content here from peers, nodes and gateways; it never starts again")
    .addCommand(startCommand(environment), { isDefault: true })
    .addCommand(pushCommand(environment))
    .addCommand(list)
    .addCommand(one("show", "tell of one transfer, with every try", "show"))
    .addCommand(one("pause", "stop; what is verified stays", "pause"))
    .addCommand(one("resume", "go on with a paused, failed or cancelled transfer", "resume"))
    .addCommand(one("cancel", "end", "cancel"));
}

function startCommand(environment: CliEnvironment): Command {
  return nodeCommand("start", "bring content here and wait for it")
    .argument("<cid>")
    .argument("<from...>", "multiaddrs or PeerIds, http(s):// of nodes and gateways, ws(s):// of /ws/content")
    .option("--source-token <token>", "token of the node at those addresses")
    .option("--no-pin", "do not pin: a garbage collection may take it")
    .option("--pin-name <name>", "name of the pin")
    .option("--detach", "do not wait")
    .action(async (cid: string, from: string[], flags: StartFlags) =>
      withNode(environment, flags, async context => {
        const { api, output, signal } = context;
        const pin = flags.pin ? flags.pinName : (false as const);
        const token = flags.sourceToken;
        const started = await api.beginTransfer(
          { cid, from, ...(pin !== undefined && { pin }), ...(token !== undefined && { token }) },
          { signal },
        );
        const ended = flags.detach === true ? started : await waitFor(context, started);
        output.result(ended, lineOf(ended));
      }),
    );
}

function pushCommand(environment: CliEnvironment): Command {
  return nodeCommand("push", "bring content from here to another node, and wait for it")
    .argument("<cid>")
    .argument("<to...>", "multiaddrs or PeerIds, http(s):// of nodes")
    .option("--target-token <token>", "token of the receiving node")
    .action(async (cid: string, to: string[], flags: CommonOptions & { readonly targetToken?: string }) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        const token = flags.targetToken;
        const result = await api.push({ cid, to, ...(token !== undefined && { token }) }, { signal });
        if (!result.ok) {
          const [first] = result.attempts;
          const code = isErrorCode(first?.code) ? first.code : "PEER_UNREACHABLE";
          const causes = result.attempts.map(({ source, message }) => `${source}: ${message}`).join("; ");
          throw new CidcastError(code, `Nobody took ${cid}: ${causes}`, {
            details: { attempts: result.attempts },
          });
        }
        output.result(result, `${cid} brought by ${result.via ?? ""}`);
      }),
    );
}

/** Waits for the end of a transfer, with its progress on the terminal. Throws why it failed, with every try. */
export async function waitFor(
  { api, environment, output, signal }: CommandContext,
  started: TransferBodyResult,
): Promise<TransferBodyResult> {
  const progress = createProgress(environment, {
    label: started.cid,
    totalBytes: started.totalBytes,
    quiet: output.json,
  });
  try {
    for (let transfer = started; ; transfer = await api.transfer(transfer.id, { signal })) {
      if (transfer.state === "completed") return transfer;
      if (transfer.endedAtMs !== undefined) throw failureOf(transfer);
      progress.update(transfer.bytes);
      await new Promise(resolve => setTimeout(resolve, LOOK_INTERVAL_MS));
      signal.throwIfAborted();
    }
  } catch (error) {
    // Whoever interrupts the wait wants no more of it; a running node keeps what is verified.
    if (signal.aborted) await api.changeTransfer(started.id, "cancel").catch(ignoreOver);
    throw error;
  } finally {
    progress.done();
  }
}

function ignoreOver(error: unknown): void {
  if (!isCidcastError(error, "CONFLICT")) throw error;
}

function failureOf({ code, message, attempts }: TransferBodyResult): CidcastError {
  return new CidcastError(isErrorCode(code) ? code : "INTERNAL", message ?? "The transfer failed", {
    details: { attempts },
  });
}

function lineOf(transfer: TransferBodyResult): string {
  const tries = transfer.attempts.map(
    ({ rung, source, code, message, blocks }) =>
      `  ${rung} ${source}: ${code} after ${blocks} blocks: ${message}`,
  );
  return [rowOf(transfer).join("  "), ...tries].join("\n");
}

function rowOf({ id, cid, state, bytes, totalBytes, rung, source }: TransferBodyResult): string[] {
  const size =
    totalBytes === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`;
  return [id, state, size, rung ?? "", source ?? "", cid];
}
