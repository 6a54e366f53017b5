// npm run bench -- range-read [rounds]
// Each subject in a process of its own, in turn, `rounds` times; the figures are medians over the rounds.
import { execFileSync } from "node:child_process";
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildFile } from "../../src/content/add/file-builder.ts";
import { BlockSink } from "../../src/content/add/block-sink.ts";
import { FlatBlockstore } from "../../src/content/blockstore/flat-blockstore.ts";
import { PackBlockstore } from "../../src/content/blockstore/pack/index.ts";
import { contentMetrics } from "../../src/content/metrics.ts";
import { noMetrics } from "../../src/core/index.ts";
import { type Places, SUBJECTS } from "./subjects.ts";

const SIZE = 256 * 1024 * 1024;
const READ = 64 * 1024;

interface Figures {
  readonly seekMs: readonly number[];
  readonly warmSeekMs: readonly number[];
  readonly readMs: readonly number[];
  readonly coldMBps: number;
  readonly warmMBps: number;
  readonly maxRssMB: number;
}

const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** What the child does: seeks into blocks that were never read, small reads, the whole file twice, seeks again. */
async function measure(name: string, places: Places): Promise<Figures> {
  const subject = await SUBJECTS[name]?.(places);
  if (subject === undefined) throw new Error(`no subject ${name}`);
  const count = name.startsWith("helia") ? 12 : 100;
  const offset = (): number => Math.floor(Math.random() * (subject.size - READ));
  const firstByte = async (): Promise<void> => {
    for await (const part of subject.stream(offset())) if (part.byteLength > 0) break;
  };
  const whole = async (): Promise<void> => {
    let bytes = 0;
    for await (const part of subject.stream(0)) bytes += part.byteLength;
    if (bytes !== subject.size) throw new Error(`read ${bytes} of ${subject.size}`);
  };
  const many = async (work: () => Promise<unknown>): Promise<number[]> => {
    const times: number[] = [];
    for (let i = 0; i < count; i++) times.push(await timed(work));
    return times;
  };
  const seekMs = await many(firstByte);
  const readMs = await many(async () => {
    const at = offset();
    await subject.read(at, at + READ);
  });
  const coldMBps = subject.size / 1e3 / (await timed(whole));
  const warmMBps = subject.size / 1e3 / (await timed(whole));
  const warmSeekMs = await many(firstByte);
  return { seekMs, readMs, coldMBps, warmMBps, warmSeekMs, maxRssMB: process.resourceUsage().maxRSS / 1024 };
}

async function prepare(directory: string): Promise<Places> {
  const file = join(directory, "file");
  const out = createWriteStream(file);
  for (let at = 0; at < SIZE; at += 1 << 20) {
    if (!out.write(randomBytes(1 << 20))) await once(out, "drain");
  }
  out.end();
  await once(out, "finish");
  const [packs, flat] = [join(directory, "packs"), join(directory, "flat")];
  let cid = "";
  for (const store of [new PackBlockstore({ directory: packs }), new FlatBlockstore({ directory: flat })]) {
    await store.open();
    const sink = new BlockSink(store, contentMetrics(noMetrics));
    cid = (await buildFile(createReadStream(file, { highWaterMark: 1 << 20 }), sink)).cid.toString();
    await sink.flush();
    await store.close();
  }
  return { file, packs, flat, cid };
}

const [first = "5", second] = process.argv.slice(2);
if (second !== undefined) {
  process.stdout.write(JSON.stringify(await measure(first, JSON.parse(second) as Places)));
  process.exit(0);
}
const directory = mkdtempSync(join(tmpdir(), "cidcast-bench-"));
try {
  const places = await prepare(directory);
  const all = new Map<string, Figures[]>(Object.keys(SUBJECTS).map(name => [name, []]));
  for (let round = 0; round < Number(first); round++) {
    for (const [name, rounds] of all) {
      const output = execFileSync(
        process.execPath,
        [fileURLToPath(import.meta.url), name, JSON.stringify(places)],
        { encoding: "utf8" },
      );
      rounds.push(JSON.parse(output) as Figures);
    }
  }
  for (const [name, rounds] of all) {
    const over = (figure: (of: Figures) => number): number => quantile(rounds.map(figure), 0.5);
    const ms = (value: number): string => value.toFixed(2);
    console.log(
      [
        name,
        `${ms(over(f => quantile(f.seekMs, 0.5)))} / ${ms(over(f => quantile(f.seekMs, 0.95)))}`,
        `${ms(over(f => quantile(f.warmSeekMs, 0.5)))} / ${ms(over(f => quantile(f.warmSeekMs, 0.95)))}`,
        `${ms(over(f => quantile(f.readMs, 0.5)))} / ${ms(over(f => quantile(f.readMs, 0.95)))}`,
        over(f => f.coldMBps).toFixed(0),
        over(f => f.warmMBps).toFixed(0),
        over(f => f.maxRssMB).toFixed(0),
      ].join(" | "),
    );
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
