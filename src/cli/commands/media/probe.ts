import type { ProbeResult } from "@cidcast/protocols/node-api";
import type { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { table } from "../../output/output.ts";

/** `cidcast probe`. */
export function probeCommand(environment: CliEnvironment): Command {
  return nodeCommand("probe", "tracks of a media file, and how each would play")
    .argument("<ref>", "CID, or CID and path")
    .action(async (ref: string, flags: CommonOptions) =>
      withNode(environment, flags, async ({ api, output, signal }) => {
        const info = await api.probe(ref, { signal });
        output.result(info, probeText(info));
      }),
    );
}

/** A probe for people. */
function probeText(info: ProbeResult): string {
  const rows = info.tracks.map(track => {
    const number = (name: string): string => (typeof track[name] === "number" ? `${track[name]}` : "?");
    const shape =
      track.kind === "video"
        ? `${number("width")}x${number("height")}`
        : `${number("channels")} channels ${number("sampleRate")} Hz`;
    return [track.id, track.codec, shape, track.verdict.mode, track.verdict.reason];
  });
  const head = `${info.container}, ${info.durationSeconds.toFixed(1)} s, ${info.playable ? "playable" : "not playable"}`;
  return [head, table(rows), ...info.notes].filter(part => part !== "").join("\n");
}
