import { writeFile } from "node:fs/promises";
import { type CheckReport, type Finding, worstOf } from "@cidcast/protocols/connectivity";
import type { Command } from "commander";
import { silentLogger } from "../../../core/index.ts";
import type { NodeApi } from "../../api/node-api.ts";
import { configOf, findApi } from "../../api/open-api.ts";
import { playInChromium } from "../../browser/play-in-chromium.ts";
import { type CommonOptions, nodeCommand } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { EXIT, ExitWith } from "../../exit-codes.ts";
import { createOutput, printable } from "../../output/output.ts";
import { redact } from "../../output/redact.ts";

interface CheckFlags extends CommonOptions {
  readonly all?: boolean;
  readonly against?: string;
  readonly againstToken?: string;
  readonly browser?: boolean;
  readonly report?: string;
}

const CODES: Readonly<Record<CheckReport["status"], number>> = {
  ok: EXIT.ok,
  warn: EXIT.warned,
  unknown: EXIT.unknown,
  fail: EXIT.failure,
};
const MARKS: Readonly<Record<Finding["status"], string>> = {
  ok: "ok     ",
  warn: "WARN   ",
  fail: "FAIL   ",
  skipped: "skipped",
  unknown: "UNKNOWN",
};

/** `cidcast check-connectivity`. */
export function checkCommand(environment: CliEnvironment): Command {
  return nodeCommand(
    "check-connectivity",
    "look at every way to and from the node, up to a clip that is played; without a running node, of one started for it",
  )
    .alias("check_connectivity")
    .option("--all", "also every transport and protocol of libp2p, STUN and TURN, MCP")
    .option(
      "--against <address>",
      "another node (http://host:port), or a multiaddr, checked against from this one",
    )
    .option("--against-token <token>", "the other node's token")
    .option("--browser", "play the clip in Chromium too (CHROME_PATH, or what is installed)")
    .option("--report <file>", "write a report without addresses, names and ids: for support")
    .action(async (flags: CheckFlags) => {
      const output = createOutput(environment, flags.json === true);
      await using api = await nodeToCheck(environment, flags);
      const { against, againstToken: token, all } = flags;
      const { signal } = environment;
      const looked = await api.check(
        {
          ...(against !== undefined && { against }),
          ...(token !== undefined && { token }),
          ...(all === true && { all }),
        },
        { signal },
      );
      const report = flags.browser === true ? await withBrowser(looked, api, environment) : looked;
      if (flags.report !== undefined) {
        await writeFile(flags.report, `${JSON.stringify(redact(report), undefined, 2)}\n`, { mode: 0o600 });
      }
      output.result(report, textOf(report));
      if (report.status !== "ok") throw new ExitWith(CODES[report.status]);
    });
}

/** The running node, or one that serves on free ports as long as the check takes. */
async function nodeToCheck(environment: CliEnvironment, flags: CommonOptions): Promise<NodeApi> {
  const running = await findApi(environment, flags);
  if (running !== undefined) return running;
  const config = configOf(environment, flags);
  const own = { ...config, port: 0, webrtc: { ...config.webrtc, udpPortFallback: true } };
  const { createEmbeddedApi } = await import("../../api/embedded-api.ts");
  return createEmbeddedApi(await environment.openNode(own, { serve: true, log: silentLogger }));
}

async function withBrowser(
  report: CheckReport,
  api: NodeApi,
  { env, signal }: CliEnvironment,
): Promise<CheckReport> {
  const startedMs = performance.now();
  const outcome = await playInChromium(api, { env, signal });
  const durationMs = Math.round(performance.now() - startedMs);
  const findings = [...report.findings, { code: "BROWSER", durationMs, ...outcome }];
  return { ...report, findings, status: worstOf(findings) };
}

function textOf({ findings, status }: CheckReport): string {
  const lines = findings.flatMap(({ code, status: state, durationMs, meaning, action, subject }) => {
    const about = subject === undefined ? "" : ` ${subject}`;
    const line = `${MARKS[state]}  ${code}${about}  ${printable(meaning)} (${Math.round(durationMs)} ms)`;
    return action === undefined || state === "skipped" ? [line] : [line, `         → ${printable(action)}`];
  });
  return [...lines, "", `In all: ${status}`].join("\n");
}
