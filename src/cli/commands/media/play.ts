import type { Command } from "commander";
import { isCidcastError } from "../../../core/index.ts";
import type { NodeApi } from "../../api/node-api.ts";
import { configOf } from "../../api/open-api.ts";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";

interface PlayFlags extends CommonOptions {
  readonly open?: boolean;
}

/** `cidcast play`. */
export function playCommand(environment: CliEnvironment): Command {
  return nodeCommand("play", "print the player's address for some content")
    .argument("<ref>", "CID, or CID and path")
    .option("--open", "open it in the browser")
    .action(async (ref: string, flags: PlayFlags) =>
      withNode(
        environment,
        flags,
        async ({ api, output, signal }) => {
          // A mistyped CID is told here and not by a black picture.
          await isThere(api, ref, signal);
          const url = playerUrl(api.url ?? "", ref, configOf(environment, flags).token);
          if (flags.open === true) await environment.openBrowser(url);
          output.result({ url }, url);
        },
        "running",
      ),
    );
}

/** Throws what keeps content from being found. A media manifest is no file, but plays. */
async function isThere(api: NodeApi, ref: string, signal: AbortSignal): Promise<void> {
  try {
    await api.stat(ref, { signal });
  } catch (error) {
    if (!isCidcastError(error, "UNSUPPORTED_DAG")) throw error;
    await api.probe(ref, { signal });
  }
}

/** Where a browser plays a CID. With a token the page needs it, so it is part of the address. */
export function playerUrl(base: string, ref: string, token?: string): string {
  const path = ref
    .replace(/^\/?ipfs\//, "")
    .split("/")
    .map(encodeURIComponent)
    .join("/");
  return `${base}/play/${path}${token === undefined ? "" : `?token=${encodeURIComponent(token)}`}`;
}
