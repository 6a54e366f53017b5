import { Command } from "commander";
import { CidcastError } from "../../../core/index.ts";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { table } from "../../output/output.ts";
import { sourceOf } from "../content/sources.ts";

interface AttachFlags extends CommonOptions {
  readonly language?: string;
  readonly label?: string;
}

/** `cidcast captions add`, `rm` and `ls`. */
export function captionsCommand(environment: CliEnvironment): Command {
  const add = nodeCommand("add", "add a WebVTT or SRT file and attach it to media")
    .argument("<cid>", "the media")
    .argument("<file>", "path of the captions, - for standard input, or ipfs://CID")
    .option("--language <tag>", "language as in BCP 47: de, pt-BR")
    .option("--label <text>", "what viewers choose it by, where the language is not enough")
    .action(async (cid: string, file: string, { language, label, ...flags }: AttachFlags) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        const captions = file.startsWith("ipfs://") ? file.slice("ipfs://".length) : await added(file);
        const track = await api.attachCaptions(cid, captions, { language, label, signal });
        output.result(track, `attached ${track.cid} to ${cid}`);

        async function added(path: string): Promise<string> {
          const source = await sourceOf(path, environment);
          if (source.kind === "directory")
            throw new CidcastError("INVALID_REQUEST", `${path} is a directory`);
          const { name, totalBytes } = source;
          return (await api.add(source.open(), { name, totalBytes, signal })).cid;
        }
      }),
    );
  const remove = nodeCommand("rm", "take captions off media; their file stays")
    .argument("<cid>", "the media")
    .argument("<captions>", "CID of the captions")
    .action(async (cid: string, captions: string, flags: CommonOptions) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        await api.detachCaptions(cid, captions, { signal });
        output.result({ cid, captions, detached: true }, `took ${captions} off ${cid}`);
      }),
    );
  const list = nodeCommand("ls", "captions inside media and attached to it, with its chapters")
    .argument("<cid>", "the media")
    .action(async (cid: string, flags: CommonOptions) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        const found = await api.captions(cid, { signal });
        const rows = found.captions.map(track => [
          track.id,
          track.language ?? "",
          track.label ?? "",
          track.format,
        ]);
        const chapters = found.chapters.map(({ startSeconds, title }) => [`${startSeconds} s`, title]);
        output.result(found, [table(rows), table(chapters)].filter(text => text !== "").join("\n"));
      }),
    );
  return new Command("captions")
    .description("captions of media")
    .addCommand(add)
    .addCommand(remove)
    .addCommand(list);
}
