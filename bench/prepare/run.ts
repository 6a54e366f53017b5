// `npm run bench -- prepare [RUNS] [FILE] [PRESETS]`: how fast a ladder is made, beside the same encoder without segments.
import { execFileSync } from "node:child_process";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNode } from "../../src/node.ts";

let startedCpu: NodeJS.CpuUsage | undefined;
let endedCpu: NodeJS.CpuUsage | undefined;

// Each side runs in a process of its own; processor time is what that takes from the job to its end, and its children.
if (process.argv[2] === "--prepared") {
  const [file = "", ...presets] = process.argv.slice(3);
  const seconds = await prepare(file, presets);
  process.stdout.write(JSON.stringify({ seconds, cpu: ownSeconds() + childSeconds() }));
  process.exit(0);
}

const RUNS = Number(process.argv[2] ?? 3);
const FILE =
  process.argv[3] ?? fileURLToPath(new URL("../../samples/sample-real-world.mp4", import.meta.url));
const PRESETS = (process.argv[4] ?? "very_low,low,medium,high").split(",");

interface Run {
  readonly seconds: number;
  readonly pictures?: number;
  /** Processor time, seconds; 0 where the system does not tell. */
  readonly cpu: number;
}

/** Seconds from the job in the queue to the pinned manifest, on a node of its own. */
async function prepare(file: string, presets: readonly string[]): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), "cidcast-bench-prepare-"));
  const open = () =>
    createNode(
      { dataDir, sample: false, logLevel: "error", p2p: { enabled: false }, webrtc: { enabled: false } },
      { serve: false },
    );
  // A node that has run before: the code of its encoders is compiled. Their processes start for the job all the same.
  const before = await open();
  const { cid: known } = await before.content.add(createReadStream(file));
  await before.media.frame(known, { maxWidth: 64 });
  await before.stop();
  const node = await open();
  try {
    const { cid } = await node.content.add(createReadStream(file));
    await node.media.probe(cid);
    // The node is at rest: the process that it keeps ready for viewers has come up.
    await node.media.frame(cid, { maxWidth: 64 });
    const startedMs = performance.now();
    startedCpu = process.cpuUsage();
    const job = await node.prepare.submit(cid, { presets: presets as never });
    const { state, error } = await node.prepare.ended(job.id);
    const seconds = (performance.now() - startedMs) / 1000;
    endedCpu = process.cpuUsage(startedCpu);
    if (state !== "done") throw new Error(`${state}: ${error?.message}`);
    return seconds;
  } finally {
    await node.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Processor time that ended children have taken, in seconds: fields 16 and 17 of Linux' account, in hundredths. */
function childSeconds(): number {
  if (process.platform !== "linux") return 0;
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function ownSeconds(): number {
  const { user = 0, system = 0 } = endedCpu ?? {};
  return (user + system) / 1e6;
}

function measure(script: string, args: readonly string[]): Run {
  const out = execFileSync(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    encoding: "utf8",
  });
  return JSON.parse(out) as Run;
}

const ours: Run[] = [];
const theirs: Run[] = [];
for (let run = 0; run < RUNS; run++) {
  ours.push(measure("run.ts", ["--prepared", FILE, ...PRESETS]));
  theirs.push(measure("undivided.ts", [FILE, ...PRESETS]));
}
const pictures = theirs[0]?.pictures ?? 0;

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
const fps = (seconds: number): string => (pictures / seconds).toFixed(1);
const load = loadavg()[0]?.toFixed(1);
console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, load ${load}, ${RUNS} runs`);
console.log(`${FILE}: ${statSync(FILE).size} bytes, ${pictures} pictures, ${PRESETS.join(" ")}\n`);
console.log("| pictures of the source per second | median | slowest–fastest | processor time, median |");
console.log("| --- | --- | --- | --- |");
for (const [name, list] of [
  ["prepared ladder: queue, segments, manifest, poster, small pictures", ours],
  ["one undivided run", theirs],
] as const) {
  const seconds = list.map(run => run.seconds);
  const spread = `${fps(Math.max(...seconds))}–${fps(Math.min(...seconds))}`;
  const cpu = median(list.map(run => run.cpu)).toFixed(1);
  console.log(`| ${name} | ${fps(median(seconds))} | ${spread} | ${cpu} s |`);
}
const ratios = ours.map((run, i) => (theirs[i]?.seconds ?? 0) / run.seconds);
const cpuRatios = ours.map((run, i) => (theirs[i]?.cpu ?? 0) / run.cpu);
const text = (list: readonly number[]): string =>
  `${list.map(ratio => ratio.toFixed(2)).join(" ")}; median ${median(list).toFixed(2)}`;
console.log(`\nspeed beside the undivided run, round by round: ${text(ratios)}`);
console.log(`processor time beside it, the start of encoders included: ${text(cpuRatios)}`);
