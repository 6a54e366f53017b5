import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Network } from "./network.ts";
import type { Played, Subject, ViewerFigures } from "./play.ts";
import { quantile } from "./play.ts";
import type { Scenario } from "./scenarios.ts";
import { startSignallingProxy } from "./signalling-proxy.ts";

/** What the program prints of one viewer. */
interface Seen {
  readonly pictures: number;
  readonly freeze_ms: number;
  readonly silence_ms: number;
  readonly bytes: number;
  readonly last: number;
  readonly state: string;
}

/**
 * Lets viewers on Pion watch while the path does what the scenario says. They decode nothing: a machine that is too slow for a
 * browser says nothing of the network here.
 */
export async function playPion(program: string, subject: Subject, scenario: Scenario): Promise<Played> {
  await using network = await Network.open(subject.udpPort);
  await using proxy = await startSignallingProxy({
    target: subject.signallingUrl,
    ports: { node: subject.udpPort, network: network.port },
  });
  const [first, ...later] = scenario.steps;
  if (first?.path !== undefined) network.set(first.path);
  const viewers = String(scenario.viewers ?? 1);
  const times = ["-duration", `${scenario.seconds}s`, "-timeout", "60s"];
  const child = spawn(program, ["-url", proxy.url, "-cid", subject.cid, "-n", viewers, "-watch", ...times], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    await lines.next();
    await network.walk(later);
    const line = await lines.next();
    const report = JSON.parse(line.done === true ? "{}" : line.value) as { readonly each?: readonly Seen[] };
    const { passed, lost, overflowed } = network.down.counts;
    return {
      viewers: (report.each ?? []).map(figuresOf),
      waitP95Ms: quantile(network.down.waits, 0.95),
      shares: network.shares,
      lossShare: (lost + overflowed) / Math.max(1, passed + lost + overflowed),
    };
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
}

function figuresOf(seen: Seen): ViewerFigures {
  return {
    frames: seen.pictures,
    longestFreezeMs: seen.freeze_ms,
    longestSilenceMs: seen.silence_ms,
    lastFrames: seen.last,
    receivedBytes: seen.bytes,
    state: seen.state,
    note: "",
  };
}
