import { PLAYBACK_QUALITIES } from "@cidcast/protocols/playback";
import { Command, InvalidArgumentError, Option } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";

interface PlaybackFlags extends CommonOptions {
  readonly expires?: number;
  readonly maxQuality?: string;
  readonly viewerKey?: string;
  readonly manifest?: string;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `cidcast token playback`. */
export function tokenCommand(environment: CliEnvironment): Command {
  const playback = nodeCommand("playback", "make a token that lets its holder watch one piece of content")
    .argument("<cid>")
    .option("--expires <time>", "how long it is good: 30m, 12h, 7d (default 12h)", durationSeconds)
    .addOption(
      new Option("--max-quality <level>", "highest quality viewers may choose").choices(PLAYBACK_QUALITIES),
    )
    .option("--viewer-key <fingerprint>", "SHA-256 fingerprint of the one viewer's certificate")
    .option("--manifest <cid>", "a second root that may be read: what was prepared from the first")
    .action(async (cid: string, flags: PlaybackFlags) =>
      withNode(
        environment,
        flags,
        async ({ api, output, signal }) => {
          const { expires: expiresInSeconds, maxQuality, viewerKey, manifest } = flags;
          const made = await api.playbackToken(
            { cid, expiresInSeconds, maxQuality, viewerKey, manifest },
            { signal },
          );
          const url = new URL(made.path, api.url).href;
          const until = new Date(made.expiresAtMs).toISOString();
          output.result({ ...made, url }, `${made.token}\n${url}\ngood until ${until}`);
        },
        "running",
      ),
    );
  return new Command("token").description("tokens of a running node").addCommand(playback);
}

function durationSeconds(text: string): number {
  const [, amount = "", unit = "s"] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  const seconds = Number(amount) * (UNIT_SECONDS[unit === "" ? "s" : unit] ?? 1);
  if (amount === "" || seconds === 0) throw new InvalidArgumentError("a time is a number with s, m, h or d");
  return seconds;
}
