import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Network } from "./network.ts";
import type { Played, Subject, ViewerFigures } from "./play.ts";
import { quantile } from "./play.ts";
import type { Scenario } from "./scenarios.ts";
import { startSignallingProxy } from "./signalling-proxy.ts";
import { startWhepProxy } from "./whep-proxy.ts";

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
  await using network = await openNetwork(subject.udpPort, scenario);
  await using proxy = await startSignallingProxy({
    target: subject.signallingUrl,
    ports: { node: subject.udpPort, network: network.port },
  });
  // The network lasts as long as it is watched.
  return await watch(program, ["-url", proxy.url, "-cid", subject.cid], scenario, () => network);
}

/** As `playPion`, from a WHEP endpoint of any server. */
export async function playPionWhep(program: string, endpoint: string, scenario: Scenario): Promise<Played> {
  // The server's answer names its port.
  let opened: Promise<Network> | undefined;
  await using proxy = await startWhepProxy({
    target: endpoint,
    networkPort: async port => (await (opened ??= openNetwork(port, scenario))).port,
  });
  try {
    return await watch(program, ["-whep", "-url", proxy.url], scenario, () => opened);
  } finally {
    await (await opened)?.[Symbol.asyncDispose]();
  }
}

async function openNetwork(serverPort: number, { steps: [first] }: Scenario): Promise<Network> {
  const network = await Network.open(serverPort);
  if (first?.path !== undefined) network.set(first.path);
  return network;
}

/** `opened` is asked for the network once viewers play. */
async function watch(
  program: string,
  where: readonly string[],
  { viewers = 1, seconds, steps }: Scenario,
  opened: () => Network | Promise<Network> | undefined,
): Promise<Played> {
  const times = ["-duration", `${seconds}s`, "-timeout", "60s"];
  const child = spawn(program, [...where, "-n", String(viewers), "-watch", ...times], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    await lines.next();
    const network = await opened();
    if (network === undefined) throw new Error("no viewer had an answer");
    await network.walk(steps.slice(1));
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
