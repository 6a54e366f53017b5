// npm run bench -- add [rounds]
// Each way of adding in a process of its own, in turn, `rounds` times; the figures are medians over the rounds.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { unixfs } from "@helia/unixfs";
import { FsBlockstore } from "blockstore-fs";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { BlockSink } from "../../src/content/add/block-sink.ts";
import { buildFile } from "../../src/content/add/file-builder.ts";
import { FlatBlockstore } from "../../src/content/blockstore/flat-blockstore.ts";
import { contentMigrations, createContent } from "../../src/content/index.ts";
import { contentMetrics } from "../../src/content/metrics.ts";
import { EventBus, noMetrics, silentLogger, systemClock } from "../../src/core/index.ts";
import { type Durability, openDatabase } from "../../src/store/index.ts";

const MIB = 1024 * 1024;
const CHUNK = 256 * 1024;

const read = (file: string): AsyncIterable<Uint8Array> => createReadStream(file, { highWaterMark: MIB });

/** Adds through the content domain: blocks, record and pin. */
async function throughContent(file: string, directory: string, durability: Durability): Promise<void> {
  await using database = await openDatabase({
    file: join(directory, "node.db"),
    durability,
    migrations: contentMigrations,
  });
  await using content = createContent({ directory, blockstore: { durability } })({
    database,
    events: new EventBus(silentLogger),
    log: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  await content.start();
  await content.add(read(file));
}

const WAYS: Readonly<Record<string, (file: string, directory: string) => Promise<unknown>>> = {
  "plain copy": (file, directory) => pipeline(read(file), createWriteStream(join(directory, "copy"))),
  "content.add on packs": (file, directory) => throughContent(file, directory, "process"),
  "content.add on packs, durability full": (file, directory) => throughContent(file, directory, "full"),
  "importer on flat directories": async (file, directory) => {
    const store = new FlatBlockstore({ directory });
    await store.open();
    const sink = new BlockSink(store, contentMetrics(noMetrics));
    await buildFile(read(file), sink);
    await sink.flush();
  },
  "helia addByteStream on blockstore-fs": async (file, directory) => {
    const blockstore = new FsBlockstore(directory);
    await blockstore.open();
    // Everything that adding needs of a Helia node.
    const fs = unixfs({ blockstore });
    await fs.addByteStream(read(file), {
      chunker: fixedSize({ chunkSize: CHUNK }),
      rawLeaves: true,
      cidVersion: 1,
    });
  },
};

interface Figures {
  readonly MBps: number;
  /** Processor time, user and kernel: says more than speed on a machine that others use too. */
  readonly cpuSeconds: number;
  readonly maxRssMB: number;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function makeFile(path: string, bytes: number): Promise<void> {
  const out = createWriteStream(path);
  for (let at = 0; at < bytes; at += MIB) if (!out.write(randomBytes(MIB))) await once(out, "drain");
  out.end();
  await once(out, "finish");
}

const [first = "3", file, bytes] = process.argv.slice(2);
if (file !== undefined) {
  const directory = mkdtempSync(join(tmpdir(), "cidcast-bench-add-"));
  try {
    const cpuBefore = process.cpuUsage();
    const start = performance.now();
    await WAYS[first]?.(file, directory);
    const MBps = Number(bytes) / 1e3 / (performance.now() - start);
    const { user, system } = process.cpuUsage(cpuBefore);
    const figures: Figures = {
      MBps,
      cpuSeconds: (user + system) / 1e6,
      maxRssMB: process.resourceUsage().maxRSS / 1024,
    };
    process.stdout.write(JSON.stringify(figures));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  process.exit(0);
}
const directory = mkdtempSync(join(tmpdir(), "cidcast-bench-"));
try {
  for (const size of [64 * MIB, 256 * MIB, 512 * MIB]) {
    const source = join(directory, "source");
    await makeFile(source, size);
    const all = new Map<string, Figures[]>(Object.keys(WAYS).map(name => [name, []]));
    for (let round = 0; round < Number(first); round++) {
      for (const [name, rounds] of all) {
        const args = [fileURLToPath(import.meta.url), name, source, String(size)];
        rounds.push(JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Figures);
      }
    }
    console.log(`${size / MIB} MiB`);
    for (const [name, rounds] of all) {
      const speeds = rounds.map(figures => figures.MBps);
      const spread = `${Math.min(...speeds).toFixed(0)}–${Math.max(...speeds).toFixed(0)}`;
      const cpu = median(rounds.map(figures => figures.cpuSeconds)).toFixed(2);
      const rss = median(rounds.map(figures => figures.maxRssMB)).toFixed(0);
      console.log([name, median(speeds).toFixed(0), spread, cpu, rss].join(" | "));
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
