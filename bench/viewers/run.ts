// Viewers per core, in turns with other media servers: `npm run bench -- viewers [--n 1,10,50,100,200] [--window 8s]`
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { createNode } from "../../src/node.ts";
import { makeMedia } from "./media.ts";
import { serversOf } from "./servers.ts";

const run = promisify(execFile);
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const ARTIFACTS = here("../../artifacts/bench");
const { values } = parseArgs({
  options: {
    n: { type: "string", default: "1,10,50,100,200" },
    window: { type: "string", default: "8s" },
    /** MediaMTX's program; without it, it is left out. */
    mediamtx: { type: "string" },
  },
});

interface Report {
  readonly viewers: number;
  readonly connected: number;
  readonly playing: number;
  readonly lost_pct: number;
  readonly mbps: number;
  readonly first_keyframe_ms: { readonly p50: number; readonly p95: number };
  readonly lag_ms: { readonly p95: number; readonly max: number };
  readonly server_cpu_cores: number;
  readonly server_rss_kb: number;
  readonly server_rss_idle_kb: number;
  readonly client_cpu_cores: number;
  readonly errors?: Readonly<Record<string, number>>;
}

const directory = await mkdtemp(join(tmpdir(), "cidcast-viewers-"));
try {
  const program = join(directory, "viewers");
  await run("go", ["build", "-o", program, "."], { cwd: here("go") });
  const media = await makeMedia(here("../../samples/sample-720p.mp4"), directory);
  const dataDir = join(directory, "data");
  const cid = await add(dataDir, media.mp4);
  const servers = serversOf({ media, dataDir, cid, program, mediamtx: values.mediamtx });
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? "?"}, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)}\n`,
  );
  console.log(
    "| server | N | playing | CPU ms per viewer-second | viewers per core | lost % | Mbit/s each | first key p50 / p95 ms | lag p95 / max ms | RSS MB |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  const all: ({ readonly server: string } & Report)[] = [];
  for (const n of values.n.split(",").map(Number)) {
    for (const [name, start] of Object.entries(servers)) {
      await using server = await start();
      const args = ["load", "-url", server.url, "-n", String(n), "-pid", String(server.pid)];
      const { stdout } = await run(program, [...args, "-window", values.window]);
      const report = JSON.parse(stdout) as Report;
      all.push({ server: name, ...report });
      console.log(row(name, report));
      if (report.errors !== undefined) console.error(name, n, report.errors);
    }
  }
  await mkdir(ARTIFACTS, { recursive: true });
  await writeFile(join(ARTIFACTS, "viewers.json"), `${JSON.stringify(all, undefined, 1)}\n`);
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function add(dataDir: string, path: string): Promise<string> {
  await using node = await createNode(
    { dataDir, sample: false, logLevel: "error", p2p: { enabled: false } },
    { serve: false },
  );
  return (await node.content.add(createReadStream(path), { name: "viewers.mp4" })).cid;
}

function row(name: string, report: Report): string {
  const perViewer = (report.server_cpu_cores * 1000) / report.connected;
  const cells = [
    name,
    report.viewers,
    report.playing,
    perViewer.toFixed(2),
    Math.round(1000 / perViewer),
    report.lost_pct,
    (report.mbps / report.connected).toFixed(2),
    `${report.first_keyframe_ms.p50.toFixed(0)} / ${report.first_keyframe_ms.p95.toFixed(0)}`,
    `${report.lag_ms.p95.toFixed(0)} / ${report.lag_ms.max.toFixed(0)}`,
    (report.server_rss_kb / 1024).toFixed(0),
  ];
  return `| ${cells.join(" | ")} |`;
}
