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
  await using network = await Network.open(subject.udpPort);
  await using proxy = await startSignallingProxy({
    target: subject.signallingUrl,
    ports: { node: subject.udpPort, network: network.port },
  });
  const [first] = scenario.steps;
  if (first?.path !== undefined) network.set(first.path);
  const args = ["-url", proxy.url, "-cid", subject.cid];
  // The network lasts as long as it is watched.
  return await watch(program, args, scenario, Promise.resolve(network));
}

/** As `playPion`, from a WHEP endpoint of any server. */
export async function playPionWhep(program: string, endpoint: string, scenario: Scenario): Promise<Played> {
  const opened = Promise.withResolvers<Network>();
  // A viewer that gets no answer says so itself.
  opened.promise.catch(() => undefined);
  let opening: Promise<Network> | undefined;
  await using proxy = await startWhepProxy({
    target: endpoint,
    async networkPort(serverPort) {
      opening ??= Network.open(serverPort);
      const network = await opening;
      const [first] = scenario.steps;
      if (first?.path !== undefined) network.set(first.path);
      opened.resolve(network);
      return network.port;
    },
  });
  try {
    return await watch(program, ["-whep", "-url", proxy.url], scenario, opened.promise);
  } finally {
    opened.reject(new Error("nobody came"));
    await (await opening)?.[Symbol.asyncDispose]();
  }
}

async function watch(
  program: string,
  where: readonly string[],
  { viewers = 1, seconds, steps }: Scenario,
  opened: Promise<Network>,
): Promise<Played> {
  const times = ["-duration", `${seconds}s`, "-timeout", "60s"];
  const child = spawn(program, [...where, "-n", String(viewers), "-watch", ...times], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    await lines.next();
    const network = await opened;
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
