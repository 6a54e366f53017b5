// `npm run bench -- transcode [RUNS]`: time to the first segment of both samples, at the start and after a seek.
import { cpus, loadavg } from "node:os";
import { readFileSync } from "node:fs";
import { EventBus, noMetrics, silentLogger, systemClock } from "../../src/core/index.ts";
import { createMedia, type MediaSource } from "../../src/media/index.ts";
import { memoryContent } from "../../src/media/testing/memory-content.ts";

const RUNS = Number(process.argv[2] ?? 10);

/** Places that are sought, seconds: far enough from each other that none is already made. */
const PLACES = [17.4, 9.6];

const figures = new Map<string, number[]>();

async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const result = await work();
  const list = figures.get(name) ?? [];
  list.push(performance.now() - startedMs);
  figures.set(name, list);
  return result;
}

async function watch(source: MediaSource, kind: string): Promise<void> {
  for (const track of ["v0", "a0"]) {
    const rendition = await source.rendition(track);
    await timed(`${kind} ${track} first segment`, () => rendition.segmentAt(0));
    for (const place of PLACES) await timed(`${kind} ${track} seek`, () => rendition.segmentAt(place));
  }
}

const names = ["sample-720p.mp4", "sample-real-world.mp4"] as const;
const files = Object.fromEntries(
  names.map(name => [name, readFileSync(new URL(`../../samples/${name}`, import.meta.url))]),
);
for (let run = 0; run < RUNS; run++) {
  for (const warmEncoders of [0, 1]) {
    const media = createMedia({ warmEncoders })({
      content: memoryContent(files),
      log: silentLogger,
      metrics: noMetrics,
      events: new EventBus(silentLogger),
      clock: systemClock,
    });
    await media.start();
    const [clean, real] = names;
    await timed("probe and open", async () => (await media.open(clean)).close());
    if (warmEncoders > 0) {
      // A job that has ended leaves its process ready, as on a node that has been up for a while.
      const before = await media.open(real);
      await (await before.rendition("a0")).segmentAt(22);
      await before.close();
    }
    const passthrough = await media.open(clean);
    await watch(passthrough, "passthrough");
    await passthrough.close();
    const start = warmEncoders > 0 ? "transcode (encoder ready)" : "transcode (encoder started for it)";
    const transcoded = await media.open(real);
    await watch(transcoded, start);
    await transcoded.close();
    await media.stop();
  }
}

console.log(
  `${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}, ${RUNS} runs, milliseconds`,
);
for (const [name, list] of figures) {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
  console.log(
    `${name.padEnd(52)} p50 ${at(0.5).padStart(7)}  p95 ${at(0.95).padStart(7)}  least ${at(0).padStart(7)}`,
  );
}
