// npm run bench -- adaptive [--mediamtx PATH] [--only NAME,NAME]
// Viewers on faulty and changing paths, in turns with other media servers: what each server makes of the same path.
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { createNode } from "../../src/node.ts";
import type { Played } from "../../test/interop/net/play.ts";
import { playPionWhep } from "../../test/interop/net/play-pion.ts";
import { type Scenario, SCENARIOS } from "../../test/interop/net/scenarios.ts";
import { buildPion } from "../../test/interop/pion/build.ts";
import { makeMedia } from "../viewers/media.ts";
import { type Server, serversOf } from "../viewers/servers.ts";

const run = promisify(execFile);
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const NAMES = ["clean", "loss", "bursts", "jitter", "narrow", "shared", "squeezed", "crossed"] as const;
/** The sample has 24 seconds, the longest scenario 40. */
const FILM_TIMES = 2;
const { values } = parseArgs({
  options: {
    /** MediaMTX's program; without it, it is left out. */
    mediamtx: { type: "string" },
    only: { type: "string", default: NAMES.join() },
  },
});
const scenarios: readonly Scenario[] = values.only.split(",").map(name => {
  const known = NAMES.find(each => each === name);
  if (known === undefined) throw new Error(`${name} is none of ${NAMES.join()}`);
  return SCENARIOS[known];
});

const directory = await mkdtemp(join(tmpdir(), "cidcast-adaptive-"));
try {
  const program = join(directory, "servers");
  await run("go", ["build", "-o", program, "."], { cwd: here("../viewers/go") });
  const { program: viewer, missing } = await buildPion();
  if (viewer === undefined) throw new Error(missing);
  const media = await makeMedia(here("../../samples/sample-720p.mp4"), directory, FILM_TIMES);
  // A node plays the ladder that it made of a film for the film, too: two nodes.
  const subjectOf = async (prepares: boolean) => {
    const dataDir = join(directory, prepares ? "prepared" : "plain");
    const cid = await add(dataDir, media.mp4, prepares);
    return serversOf({ media, dataDir, cid, program, mediamtx: values.mediamtx });
  };
  const [prepared, plain] = [await subjectOf(true), await subjectOf(false)];
  const servers: Readonly<Record<string, (() => Promise<Server>) | undefined>> = {
    "cidcast, prepared": prepared["cidcast, batched"],
    "cidcast, one quality": plain["cidcast, batched"],
    "Pion, on demand": plain["Pion, on demand"],
    "MediaMTX, live": plain["MediaMTX, live"],
  };
  console.log(`load average ${loadavg()[0]?.toFixed(1)}\n`);
  console.log(
    "| path | server | pictures | longest freeze ms | longest silence ms | Mbit/s each | most : least | wait p95 ms | lost % |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const scenario of scenarios) {
    for (const [server, start] of Object.entries(servers)) {
      if (start === undefined) continue;
      await using started = await start();
      console.log(row(scenario, server, await playPionWhep(viewer, started.url, scenario)));
    }
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);

/** Adds the film; with `prepares`, its ladder too. Gives what is to be played. */
async function add(dataDir: string, path: string, prepares: boolean): Promise<string> {
  const config = { dataDir, sample: false, logLevel: "error", p2p: { enabled: false } } as const;
  await using node = await createNode(config, { serve: false });
  const { cid } = await node.content.add(createReadStream(path), { name: "film.mp4" });
  if (!prepares) return cid;
  const { id } = await node.prepare.submit(cid);
  const { result, error } = await node.prepare.ended(id);
  if (result === undefined) throw new Error(error?.message ?? "the film was not prepared");
  return result.root;
}

function row(scenario: Scenario, server: string, { viewers, waitP95Ms, shares, lossShare }: Played): string {
  const worst = (of: (figures: Played["viewers"][number]) => number): number => Math.max(...viewers.map(of));
  const bytes = viewers.map(({ receivedBytes }) => receivedBytes);
  const mean = bytes.reduce((sum, each) => sum + each, 0) / bytes.length;
  const cells = [
    scenario.name,
    server,
    Math.min(...viewers.map(({ frames }) => frames)),
    worst(({ longestFreezeMs }) => longestFreezeMs).toFixed(0),
    worst(({ longestSilenceMs }) => longestSilenceMs).toFixed(0),
    ((mean * 8) / scenario.seconds / 1e6).toFixed(2),
    shares.length < 2 ? "" : (Math.max(...shares) / Math.min(...shares)).toFixed(2),
    waitP95Ms.toFixed(0),
    (lossShare * 100).toFixed(1),
  ];
  return `| ${cells.join(" | ")} |`;
}
