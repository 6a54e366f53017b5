// `npm run bench -- prepare [RUNS] [FILE] [PRESETS]`: how fast a ladder is made, beside the same encoder without segments.
import { execFileSync } from "node:child_process";
import { createReadStream, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNode } from "../../src/node.ts";

const RUNS = Number(process.argv[2] ?? 3);
const FILE =
  process.argv[3] ?? fileURLToPath(new URL("../../samples/sample-real-world.mp4", import.meta.url));
const PRESETS = (process.argv[4] ?? "very_low,low,medium,high").split(",");

interface Run {
  readonly seconds: number;
}

async function prepared(): Promise<Run> {
  const dataDir = await mkdtemp(join(tmpdir(), "cidcast-bench-prepare-"));
  const node = await createNode(
    { dataDir, sample: false, logLevel: "error", p2p: { enabled: false }, webrtc: { enabled: false } },
    { serve: false },
  );
  try {
    const { cid } = await node.content.add(createReadStream(FILE));
    await node.media.probe(cid);
    const startedMs = performance.now();
    const job = await node.prepare.submit(cid, { presets: PRESETS as never });
    const { state, error } = await node.prepare.ended(job.id);
    const seconds = (performance.now() - startedMs) / 1000;
    if (state !== "done") throw new Error(`${state}: ${error?.message}`);
    return { seconds };
  } finally {
    await node.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function undivided(): Run & { readonly pictures: number } {
  const script = fileURLToPath(new URL("undivided.ts", import.meta.url));
  const out = execFileSync(process.execPath, [script, FILE, ...PRESETS], { encoding: "utf8" });
  return JSON.parse(out) as Run & { readonly pictures: number };
}

const ours: number[] = [];
const theirs: number[] = [];
let pictures = 0;
for (let run = 0; run < RUNS; run++) {
  ours.push((await prepared()).seconds);
  const plain = undivided();
  theirs.push(plain.seconds);
  ({ pictures } = plain);
}

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
const fps = (seconds: number): string => (pictures / seconds).toFixed(1);
const load = loadavg()[0]?.toFixed(1);
console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, load ${load}, ${RUNS} runs`);
console.log(`${FILE}: ${statSync(FILE).size} bytes, ${pictures} pictures, ${PRESETS.join(" ")}\n`);
console.log("| pictures of the source per second | median | slowest–fastest |\n| --- | --- | --- |");
for (const [name, list] of [
  ["prepared ladder: queue, segments, manifest", ours],
  ["the same encoder undivided", theirs],
] as const) {
  console.log(`| ${name} | ${fps(median(list))} | ${fps(Math.max(...list))}–${fps(Math.min(...list))} |`);
}
const ratios = ours.map((seconds, i) => (theirs[i] ?? 0) / seconds);
console.log(
  `\nratio, run by run: ${ratios.map(ratio => ratio.toFixed(2)).join(" ")}; median ${median(ratios).toFixed(2)}`,
);
