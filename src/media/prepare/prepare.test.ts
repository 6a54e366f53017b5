import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contentMigrations, createContent, type ContentService } from "../../content/index.ts";
import { EventBus, noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { type Database, openDatabase } from "../../store/index.ts";
import { nalType, splitLengthPrefixed } from "../demux/nal.ts";
import { declareMetrics } from "../metrics.ts";
import { GopStore, type Stored } from "../store/gop-store.ts";
import { segmentCache } from "../store/segment-cache.ts";
import { makeClip } from "../testing/clips.ts";
import { FRAME_KEY } from "../types.ts";
import { pictureHashes, shownFrames } from "../testing/decode.ts";
import { allSegments, framesOf, timesOf } from "../testing/harness.ts";
import { sample } from "../testing/memory-content.ts";
import { findEncoder } from "../transcode/encoder.ts";
import { openPrepared } from "./open-prepared.ts";
import { createCaptions } from "../captions/captions.ts";
import { readManifest } from "./manifest-reader.ts";
import { mediaMigrations } from "./migrations.ts";
import { createPrepare, type PrepareInit } from "./prepare.ts";
import type { PrepareEvents } from "./types.ts";

const hasEncoder = findEncoder({}).kind === "node-av";

/** A data directory with content and a queue; opened again it goes on. */
async function bench(directory: string, init: PrepareInit = {}, freeBytes?: number) {
  const database: Database = await openDatabase({
    file: join(directory, "node.db"),
    migrations: [...contentMigrations, ...mediaMigrations],
  });
  const bus = new EventBus<PrepareEvents>(silentLogger);
  const content: ContentService = createContent({ directory })({
    database,
    log: silentLogger,
    metrics: noMetrics,
    events: new EventBus(silentLogger),
    clock: systemClock,
  });
  await content.start();
  const told: string[] = [];
  bus.onAny(event => told.push(event.type));
  const prepare = createPrepare({ workers: 2, ...init })({
    content,
    database,
    events: bus,
    clock: systemClock,
    log: silentLogger,
    ...(freeBytes !== undefined && { freeBytes: async () => freeBytes }),
  });
  await prepare.start();
  return {
    prepare,
    content,
    database,
    bus,
    told,
    async [Symbol.asyncDispose]() {
      await prepare.stop();
      await content.stop();
      await database.close();
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function open(content: ContentService, root: string) {
  const store = new GopStore<Stored>(
    64 * 1024 * 1024,
    declareMetrics(noMetrics, () => 0),
  );
  return openPrepared({ content, cache: segmentCache(store), root });
}

const directories: string[] = [];
async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "cidcast-prepare-"));
  directories.push(made);
  return made;
}
afterAll(async () => Promise.all(directories.map(made => rm(made, { recursive: true, force: true }))));

const VIDEO = { encoder: "libx264", frames: 300, gop: 50, bFrames: 2 } as const;
const AUDIO = [{ encoder: "aac", seconds: 10, language: "deu" }] as const;

describe.skipIf(!hasEncoder)("what a manifest has beside its tracks", () => {
  test("text, poster and storyboard, the same each time", async () => {
    const clip = await makeClip({
      container: "matroska",
      video: { encoder: "libx264", frames: 360, gop: 60, bFrames: 2 },
      subtitles: ["one", "two"],
    });
    const roots: string[] = [];
    for (let run = 0; run < 2; run++) {
      await using b = await bench(await directory());
      const { cid } = await b.content.add(once(clip), { name: "film.mkv" });
      const job = await b.prepare.ended((await b.prepare.submit(cid, { presets: ["very_low"] })).id);
      expect(job.error).toBeUndefined();
      const root = job.result?.root ?? "";
      roots.push(root);
      if (run > 0) continue;
      const manifest = await readManifest(b.content, root);
      const { poster, storyboard, captions = [] } = manifest;
      expect(poster).toMatchObject({ width: 320, height: 180, time: 1_200_000 });
      expect(storyboard).toMatchObject({ interval: 1_000_000, count: 12, columns: 10, rows: 10, width: 160 });
      for (const picture of [poster, ...(storyboard?.sheets ?? [])]) {
        const file = await b.content.open(String(picture?.cid));
        expect([...(await file.read(0, 2))]).toEqual([0xff, 0xd8]);
        expect(file.size).toBe(picture?.bytes);
        await file.close();
      }
      expect(captions).toMatchObject([{ id: "s0" }]);
      const text = createCaptions({ content: b.content, database: b.database, clock: systemClock });
      expect((await text.embedded(root)).captions).toMatchObject([{ id: "s0", format: "webvtt" }]);
      expect((await text.cues(root, "s0")).cues.map(cue => cue.text)).toEqual(["one", "two"]);
    }
    expect(roots[1]).toBe(roots[0]);
  });
});

describe.skipIf(!hasEncoder)("preparing a file the way most are", () => {
  let clip: Uint8Array;
  let b: Awaited<ReturnType<typeof bench>>;
  let cid: string;
  let root: string;
  beforeAll(async () => {
    clip = await makeClip({ container: "mp4", video: VIDEO, audio: AUDIO });
    b = await bench(await directory());
    ({ cid } = await b.content.add(once(clip), { name: "clip.mp4" }));
    const { id } = await b.prepare.submit(cid, { presets: ["very_low", "low"] });
    const job = await b.prepare.ended(id);
    root = job.result?.root ?? "";
  }, 60_000);
  afterAll(async () => b[Symbol.asyncDispose]());

  test("gives a root that is pinned whole, and found by its source", async () => {
    expect(await b.prepare.jobs()).toMatchObject([
      { state: "done", cid, progress: { percent: 100 }, result: { root } },
    ]);
    expect(await b.prepare.rootOf(cid)).toBe(root);
    expect((await b.content.pins()).map(pin => [pin.cid, pin.name])).toContainEqual([
      root,
      "clip.mp4 (prepared)",
    ]);
    await b.content.remove(cid);
    await b.content.gc();
    const prepared = await open(b.content, root);
    for (const { id } of prepared.info.tracks) {
      for (const name of prepared.qualities(id)) await allSegments(await prepared.rendition(id, { name }));
    }
    expect(b.told.filter(type => type !== "job_progress")).toEqual(["job_queued", "job_started", "job_done"]);
  });

  test("each rung shows at its times what the source shows; keyframes lie at the same times in all", async () => {
    const prepared = await open(b.content, root);
    // 320 by 180 is all there is: a second rung of that size would be the same.
    expect(prepared.qualities("v0")).toEqual(["very_low"]);
    const segments = await allSegments(await prepared.rendition("v0"));
    expect(shownFrames(segments).map(({ pts, shown }) => Math.abs(pts * 30 - shown) < 0.01)).toEqual(
      Array.from({ length: 150 }, () => true),
    );
    expect(segments.map(segment => segment.startSeconds)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const segment of segments) {
      const types = framesOf(segment).map(frame => (splitLengthPrefixed(frame, 4) ?? []).map(nalType));
      expect(types[0]?.slice(0, 2)).toEqual([7, 8]);
      expect(types[0]).toContain(5);
      expect(types.slice(1).flat()).not.toContain(5);
    }
    expect(segments.map(segment => segment.last).indexOf(true)).toBe(9);
  });

  test("sound is one run of frames without a hole", async () => {
    const prepared = await open(b.content, root);
    expect(prepared.info.tracks[1]).toMatchObject({
      id: "a0",
      kind: "audio",
      codec: "opus",
      language: "deu",
    });
    const times = timesOf(await allSegments(await prepared.rendition("a0")));
    for (const [i, time] of times.entries()) expect(time).toBeCloseTo(i * 0.02, 6);
    expect(times.length).toBeGreaterThanOrEqual(500);
  });

  test("a place is found by time", async () => {
    const source = await (await open(b.content, root)).rendition("v0");
    expect((await source.segmentAt(4.5))?.startSeconds).toBe(4);
    expect((await source.segmentAt(0))?.startSeconds).toBe(0);
    expect(await source.segmentAt(10.1)).toBeUndefined();
  });

  test("a run that breaks off in the middle goes on where it was, with one encoder, to the same root", async () => {
    const place = await directory();
    let firstWrites = 0;
    const stopped = Promise.withResolvers<void>();
    {
      const first = await bench(place, { workers: 1 });
      await first.content.add(once(clip), { name: "other name.mp4" });
      const write = first.content.write.bind(first.content);
      first.content.write = async (bytes, options) => {
        firstWrites += 1;
        if (firstWrites === 2) stopped.resolve();
        // The second never gets through: the job has one segment when it breaks off.
        return firstWrites < 2 ? write(bytes, options) : Promise.withResolvers<string>().promise;
      };
      await first.prepare.submit(cid, { presets: ["low", "very_low"] });
      await stopped.promise;
      await first.database.close();
      void first.prepare.stop();
      await first.content.stop();
    }
    await using second = await bench(place, { workers: 2 });
    const write = second.content.write.bind(second.content);
    let secondWrites = 0;
    second.content.write = async (bytes, options) => {
      secondWrites += 1;
      return write(bytes, options);
    };
    const [job] = await second.prepare.jobs();
    const ended = await second.prepare.ended(job?.id ?? "");
    expect(ended).toMatchObject({ state: "done", result: { root } });
    // A poster and a sheet of small pictures. Three of pictures and three of sound; the first of the pictures was there.
    expect(secondWrites).toBe(5 + 2);
  }, 60_000);
});

describe.skipIf(!hasEncoder)("several rungs", () => {
  test("have their keyframes at the same times, and pictures at the rate of each", async () => {
    await using b = await bench(await directory());
    const { cid } = await b.content.add(once(sample("sample-real-world.mp4")));
    const { id } = await b.prepare.submit(cid, { presets: ["very_low", "low"] });
    const { result } = await b.prepare.ended(id);
    const prepared = await open(b.content, result?.root ?? "");
    expect(prepared.qualities("v0")).toEqual(["very_low", "low"]);
    const keys: number[][] = [];
    for (const [name, rate] of [
      ["very_low", 15],
      ["low", 20],
    ] as const) {
      const segments = await allSegments(await prepared.rendition("v0", { name }));
      keys.push(segments.map(segment => segment.startSeconds));
      // The strip is scaled with the picture: at 720 rows it is read 16 from the bottom.
      const shown = shownFrames(segments, name === "low" ? 8 : 4);
      expect(shown).toHaveLength(24 * rate);
      for (const picture of shown) expect(picture.shown).toBe(Math.round(picture.pts * 30));
    }
    expect(keys[0]).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(keys[1]).toEqual(keys[0]);
  }, 120_000);

  test("stand beside the source where that passes through", async () => {
    await using b = await bench(await directory());
    const clip = await makeClip({
      container: "mp4",
      video: { ...VIDEO, bFrames: 0, options: { sc_threshold: "0" } },
      audio: [{ encoder: "libopus", seconds: 10 }],
    });
    const { cid } = await b.content.add(once(clip));
    const { id } = await b.prepare.submit(cid, { presets: ["very_low"] });
    const { result } = await b.prepare.ended(id);
    const prepared = await open(b.content, result?.root ?? "");
    expect([...prepared.qualities("v0")].sort()).toEqual(["source", "very_low"]);
    expect(prepared.qualities("a0")).toEqual(["source"]);
    const source = await allSegments(await prepared.rendition("v0", { name: "source" }));
    expect(shownFrames(source).map(({ shown }) => shown)).toEqual(Array.from({ length: 300 }, (_, i) => i));
    // Its groups of 50 pictures come in parts of a second.
    expect(source.slice(0, 4).map(segment => [segment.startsWithKey, segment.frameCount])).toEqual([
      [true, 30],
      [false, 20],
      [true, 30],
      [false, 20],
    ]);
  }, 60_000);
});

describe.skipIf(!hasEncoder).each(["vp9", "av1"] as const)("a ladder of %s", codec => {
  test("is the same each time, its keyframes lie on whole seconds, and half of its pictures can be left out", async () => {
    const clip = await makeClip({ container: "mp4", video: { ...VIDEO, frames: 180 } });
    const roots: string[] = [];
    for (const workers of [1, 2]) {
      await using b = await bench(await directory(), { workers });
      const { cid } = await b.content.add(once(clip));
      const job = await b.prepare.ended((await b.prepare.submit(cid, { codec })).id);
      expect(job).toMatchObject({ state: "done", codec });
      roots.push(job.result?.root ?? "");
      if (workers > 1) continue;
      const prepared = await open(b.content, roots[0] ?? "");
      expect(prepared.info.tracks).toMatchObject([{ id: "v0", codec, width: 320, height: 180 }]);
      const segments = await allSegments(await prepared.rendition("v0"));
      expect(segments.map(({ startSeconds, startsWithKey }) => [startSeconds, startsWithKey])).toEqual(
        [0, 1, 2, 3, 4, 5].map(second => [second, true]),
      );
      for (const { flags } of segments) {
        // The first is a keyframe, then every second one is droppable.
        expect([...flags]).toEqual([
          FRAME_KEY,
          ...Array.from({ length: 14 }, (_, i) => (i % 2 === 0 ? 2 : 0)),
        ]);
      }
      const shown = shownFrames(segments, 16, codec);
      expect(shown.map(({ pts }) => Math.round(pts * 15))).toEqual(Array.from({ length: 90 }, (_, i) => i));
      for (const picture of shown) expect(picture.shown).toBe(Math.round(picture.pts * 30));
      // What is left looks as it does among all.
      const all = pictureHashes(segments, { codec });
      const fewer = pictureHashes(segments, { codec, without: "droppable" });
      expect(fewer.size).toBe(48);
      for (const [time, hash] of fewer) expect([time, all.get(time)]).toEqual([time, hash]);
    }
    expect(roots[1]).toBe(roots[0]);
  }, 120_000);

  test("has no rung of another codec beside it", async () => {
    await using b = await bench(await directory());
    const clip = await makeClip({ container: "mp4", video: { ...VIDEO, frames: 30, bFrames: 0 } });
    const { cid } = await b.content.add(once(clip));
    const { result } = await b.prepare.ended((await b.prepare.submit(cid, { codec })).id);
    const { tracks } = await readManifest(b.content, result?.root ?? "");
    expect(tracks[0]?.renditions.map(rendition => [rendition.name, rendition.codec])).toEqual([
      ["very_low", codec],
    ]);
  });
});

describe("jobs", () => {
  test.skipIf(!hasEncoder)(
    "one that waits is cancelled at once, one that runs is ended; then both are over",
    async () => {
      await using b = await bench(await directory());
      const clip = await makeClip({ container: "mp4", video: { ...VIDEO, frames: 600 } });
      const { cid } = await b.content.add(once(clip));
      const running = await b.prepare.submit(cid);
      const waiting = await b.prepare.submit(cid, { presets: ["low"] });
      expect((await b.prepare.submit(cid, { presets: ["low"] })).id).toBe(waiting.id);
      expect(await b.prepare.cancel(waiting.id)).toMatchObject({ state: "cancelled" });
      await b.prepare.cancel(running.id).catch(() => undefined);
      await b.prepare.ended(running.id);
      await expect(b.prepare.cancel(running.id)).rejects.toMatchObject({ code: "CONFLICT" });
      await expect(b.prepare.cancel("no")).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
      expect(b.told).toContain("job_cancelled");
    },
  );

  test.skipIf(!hasEncoder)("one more than may wait is refused", async () => {
    await using b = await bench(await directory(), { maxQueued: 1 });
    const clip = await makeClip({ container: "mp4", video: VIDEO });
    const { cid } = await b.content.add(once(clip));
    // Nothing gets through: the first job stays where it is.
    b.content.write = () => Promise.withResolvers<string>().promise;
    const started = b.bus.next("job_started");
    await b.prepare.submit(cid, { presets: ["very_low"] });
    await started;
    await b.prepare.submit(cid, { presets: ["low"] });
    await expect(b.prepare.submit(cid, { presets: ["medium"] })).rejects.toMatchObject({
      code: "LIMIT_REACHED",
    });
  });

  test("what cannot be prepared is refused before it waits", async () => {
    await using b = await bench(await directory(), {}, 1000);
    const text = await b.content.add(once(Buffer.from("no media ".repeat(100))));
    await expect(b.prepare.submit(text.cid)).rejects.toMatchObject({ code: "UNSUPPORTED_MEDIA" });
    const clip = await makeClip({ container: "mp4", video: { ...VIDEO, frames: 30 } });
    const { cid } = await b.content.add(once(clip));
    await expect(b.prepare.submit(cid)).rejects.toMatchObject({ code: "STORAGE_FULL" });
    await using other = await bench(await directory(), { encoderMissing: "none here" });
    await expect(other.prepare.submit(cid)).rejects.toMatchObject({ code: "ENCODER_MISSING" });
  });
});
