import type { StallReportBody } from "@cidcast/protocols/node-api/stalls";
import type { Command } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { table } from "../../output/output.ts";

/** `cidcast why-stalled [pc_id]`. */
export function whyStalledCommand(environment: CliEnvironment): Command {
  return nodeCommand(
    "why-stalled",
    "what holds a viewer up: network, supply, transcode or cpu; without an id, every viewer",
  )
    .argument("[pc_id]", "the session's id, as signalling and statistics have it")
    .action(async (id: string | undefined, flags: CommonOptions) =>
      withNode(
        environment,
        flags,
        async ({ api, output, signal }) => {
          if (id === undefined) {
            const sessions = await api.stalls({ signal });
            const rows = sessions.map(({ pc_id, summary }) => [pc_id, summary]);
            output.result({ sessions }, rows.length === 0 ? "nobody watches" : table(rows));
            return;
          }
          const report = await api.whyStalled(id, { signal });
          output.result(report, stallText(report));
        },
        "running",
      ),
    );
}

/** A report for people: the cause, then what happened. */
export function stallText(report: StallReportBody): string {
  const { summary, timeline, played_seconds, stalled_seconds } = report;
  const rows = timeline.map(entry => [
    new Date(entry.time * 1000).toISOString().slice(11, 23),
    entry.event,
    entry.from === entry.to ? (entry.to ?? "") : `${entry.from ?? ""}→${entry.to ?? ""}`,
    entry.reason,
    `${(entry.estimate_bps / 1e6).toFixed(2)} Mbit/s`,
    `loss ${entry.packet_loss} %`,
    `rtt ${entry.rtt_ms ?? "?"} ms`,
    `queue ${entry.queue_ms} ms`,
    `buffer ${entry.buffered_seconds} s`,
    ...(entry.lag_ms > 0 ? [`late ${entry.lag_ms} ms`] : []),
  ]);
  const played = `played ${played_seconds} s, stood still ${stalled_seconds} s`;
  return [summary, played, table(rows)].filter(part => part !== "").join("\n");
}
