import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { silentLogger } from "../../core/index.ts";
import { openMediaFile } from "../demux/media-file.ts";
import { splitLengthPrefixed, nalType } from "../demux/nal.ts";
import { FRAME_KEY } from "../types.ts";
import { allSegments, framesOf, testMedia, timesOf } from "../testing/harness.ts";
import { memoryContent, sample } from "../testing/memory-content.ts";

const CLEAN = sample("sample-720p.mp4");
const REAL = sample("sample-real-world.mp4");

/** The place of the index in an MP4 file: before or after the media data. */
function moovFirst(file: Uint8Array): boolean {
  const text = Buffer.from(file).toString("latin1");
  return text.indexOf("moov") < text.indexOf("mdat");
}

describe("the samples are what they are said to be", () => {
  test("one without B-frames, Opus, index at the front", async () => {
    await using t = testMedia({ files: { clean: CLEAN } });
    const info = await t.media.probe("clean");
    expect(moovFirst(CLEAN)).toBe(true);
    expect(info).toMatchObject({ container: "MP4", durationSeconds: 24, playable: true, notes: [] });
    expect(info.tracks).toMatchObject([
      {
        id: "v0",
        codec: "h264",
        bFrames: false,
        width: 1280,
        height: 720,
        rotation: 0,
        verdict: { mode: "passthrough" },
      },
      { id: "a0", codec: "opus", channels: 2, sampleRate: 48_000, verdict: { mode: "passthrough" } },
    ]);
    expect(info.tracks[0]?.kind === "video" && info.tracks[0].frameRate).toBeCloseTo(30, 3);
  });

  test("one with B-frames, AAC, index at the end", async () => {
    await using t = testMedia({ files: { real: REAL } });
    const info = await t.media.probe("real");
    expect(moovFirst(REAL)).toBe(false);
    expect(info.tracks).toMatchObject([
      { id: "v0", codec: "h264", bFrames: true, verdict: { mode: "transcode" } },
      { id: "a0", codec: "aac", verdict: { mode: "transcode" } },
    ]);
  });
});

describe("passthrough", () => {
  test("video comes in segments of at most a second that begin with parameter sets and a keyframe", async () => {
    await using t = testMedia({ files: { clean: CLEAN } });
    await using source = await t.media.open("clean");
    expect(source.defaultTrackIds).toEqual(["v0", "a0"]);
    const rendition = await source.rendition("v0");
    expect(rendition.info).toMatchObject({ id: "source", codec: "h264", width: 1280, height: 720 });
    const segments = await allSegments(rendition);
    expect(timesOf(segments)).toHaveLength(720);
    expect(segments.every(s => s.startsWithKey && s.endSeconds - s.startSeconds <= 1 + 1e-6)).toBe(true);
    expect(segments.map(s => s.last)).toEqual([...Array<boolean>(segments.length - 1).fill(false), true]);
    expect(segments.at(-1)?.endSeconds).toBeCloseTo(24, 3);
    for (const [i, time] of timesOf(segments).entries()) expect(time).toBeCloseTo(i / 30, 4);
    for (const segment of segments) {
      expect([...segment.flags].filter(flag => (flag & FRAME_KEY) !== 0)).toHaveLength(1);
      const types = framesOf(segment).map(frame => splitLengthPrefixed(frame, 4)?.map(nalType));
      expect(types[0]?.slice(0, 2)).toEqual([7, 8]);
      expect(types[0]).toContain(5);
      expect(types.slice(1).every(frame => frame?.every(type => type === 1))).toBe(true);
    }
  });

  test("segments follow each other without a gap, in shared memory, each with a name of its own", async () => {
    await using t = testMedia({ files: { clean: CLEAN } });
    await using source = await t.media.open("clean");
    for (const id of ["v0", "a0"]) {
      const segments = await allSegments(await source.rendition(id));
      expect(new Set(segments.map(s => s.key)).size).toBe(segments.length);
      for (const [i, segment] of segments.entries()) {
        expect(segment.data).toBeInstanceOf(SharedArrayBuffer);
        expect(segment.offsets).toHaveLength(segment.frameCount + 1);
        expect(segment.offsets.at(-1)).toBe(segment.data.byteLength);
        const next = segments[i + 1];
        if (next === undefined) continue;
        expect(next.startSeconds).toBeCloseTo(segment.endSeconds, 9);
        expect(next.index).toBeGreaterThan(segment.index);
      }
    }
  });

  test("a seek gives the keyframe at or before the time, sound that holds it, and the same segments as playing", async () => {
    await using t = testMedia({ files: { clean: CLEAN } });
    await using source = await t.media.open("clean");
    const video = await source.rendition("v0");
    const sound = await source.rendition("a0");
    const played = await allSegments(video);
    for (const time of [0, 0.5, 7.99, 8, 12.34, 23.9]) {
      const shown = await video.segmentAt(time);
      expect(shown?.startSeconds).toBe(Math.floor(time));
      expect(played).toContain(shown);
      const heard = await sound.segmentAt(time);
      expect(heard?.startSeconds).toBeLessThanOrEqual(time);
      expect(heard?.endSeconds).toBeGreaterThan(time);
    }
    expect(await video.segmentAt(24)).toBeUndefined();
    expect(await sound.segmentAt(1e9)).toBeUndefined();
    expect((await video.segmentAt(-5))?.startSeconds).toBe(0);
  });

  test("a seek in a large file reads what is there, not what lies before", async () => {
    await using t = testMedia({ files: { clean: CLEAN } });
    await using source = await t.media.open("clean");
    const before = t.content.bytesRead();
    const video = await source.rendition("v0");
    await video.segmentAt(23);
    expect(t.content.bytesRead() - before).toBeLessThan(CLEAN.length / 2);
  });

  test("viewers share segments; the last handle closes file and hold", async () => {
    await using t = testMedia({ files: { clean: CLEAN } });
    const [one, two] = await Promise.all([t.media.open("clean"), t.media.open("clean")]);
    const [a, b] = await Promise.all([
      one.rendition("v0").then(r => r.segmentAt(3)),
      two.rendition("v0").then(r => r.segmentAt(3.5)),
    ]);
    expect(a).toBe(b);
    expect([t.content.openFiles(), t.content.holds()]).toEqual([1, 1]);
    await one.close();
    await one.close();
    expect([t.content.openFiles(), t.content.holds()]).toEqual([1, 1]);
    await two.close();
    expect([t.content.openFiles(), t.content.holds()]).toEqual([0, 0]);
    await expect(two.rendition("v0")).rejects.toMatchObject({ code: "CONFLICT" });
    expect(t.told).toEqual(["media_probed"]);
  });

  test("a reader that outlives a reopening goes on in the new one", async () => {
    await using t = testMedia({ files: { clean: CLEAN }, gopStoreMaxBytes: 1 });
    const first = await t.media.open("clean");
    const segment = await (await first.rendition("v0")).segmentAt(5);
    await first.close();
    await using again = await t.media.open("clean");
    const next = segment && (await (await again.rendition("v0")).segmentAfter(segment));
    expect(next?.startSeconds).toBe(6);
  });

  test("unknown tracks are refused", async () => {
    await using t = testMedia({ files: { clean: CLEAN } });
    await using source = await t.media.open("clean");
    await expect(source.rendition("v7")).rejects.toMatchObject({ code: "TRACK_NOT_FOUND" });
  });
});

describe("without an encoder", () => {
  test("passthrough works, and what needs one says what to install", async () => {
    await using t = testMedia({ files: { clean: CLEAN, real: REAL }, transcode: false });
    expect(t.media.encoder).toBeUndefined();
    expect(t.media.encoderMissing).toContain("switched off");
    await using clean = await t.media.open("clean");
    expect((await (await clean.rendition("v0")).segmentAt(0))?.frameCount).toBe(30);
    await using real = await t.media.open("real");
    expect(real.info).toMatchObject({ playable: false, notes: [expect.stringContaining("switched off")] });
    await expect(real.rendition("v0")).rejects.toMatchObject({
      code: "ENCODER_MISSING",
      message: expect.stringContaining("B-frames"),
    });
  });
});

describe("damaged files", () => {
  test.each([
    ["nothing", new Uint8Array(0), "UNSUPPORTED_MEDIA"],
    ["text", Buffer.from("This is not media.\n".repeat(500)), "UNSUPPORTED_MEDIA"],
    ["zeros", new Uint8Array(100_000), "UNSUPPORTED_MEDIA"],
    ["a film whose index at the end is cut off", REAL.subarray(0, REAL.length / 2), "CORRUPT_MEDIA"],
  ])("%s gets a clear error and leaves nothing open", async (_, data, code) => {
    await using t = testMedia({ files: { it: data } });
    await expect(t.media.probe("it")).rejects.toMatchObject({ code });
    await expect(t.media.open("it")).rejects.toMatchObject({ code });
    expect([t.content.openFiles(), t.content.holds()]).toEqual([0, 0]);
  });

  test("a film whose end is cut off plays as far as it goes", async () => {
    await using t = testMedia({ files: { cut: CLEAN.subarray(0, Math.floor(CLEAN.length * 0.6)) } });
    await using source = await t.media.open("cut");
    const segments = await allSegments(await source.rendition("v0"));
    expect(segments.at(-1)?.last).toBe(true);
    expect(timesOf(segments).length).toBeGreaterThan(300);
    expect(timesOf(segments).length).toBeLessThan(600);
  });

  test("unknown content is not found", async () => {
    await using t = testMedia({ files: {} });
    await expect(t.media.probe("nowhere")).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
  });

  test("a probe that takes too much reading is ended", async () => {
    const content = memoryContent({ clean: CLEAN });
    for (const budget of [
      { bytes: 1000, reads: 100 },
      { bytes: 1e9, reads: 0 },
    ]) {
      const opening = openMediaFile(await content.open("clean"), { log: silentLogger, budget });
      await expect(opening).rejects.toMatchObject({ code: "CORRUPT_MEDIA" });
    }
    expect(content.openFiles()).toBe(0);
  });

  test("a frame larger than the limit ends the track, and is told", async () => {
    await using t = testMedia({ files: { clean: CLEAN } });
    const { media } = await openMediaFile(await t.content.open("clean"), { log: silentLogger });
    const damage: unknown[] = [];
    const [track] = media.tracks;
    const reader = track?.packets(error => damage.push(error), 1000);
    expect(await reader?.first()).toBeUndefined();
    expect(damage).toMatchObject([{ message: expect.stringContaining("larger than 1000") }]);
    await media.close();
  });

  const codes = ["UNSUPPORTED_MEDIA", "CORRUPT_MEDIA", "TIMEOUT"];
  const probed = async (data: Uint8Array): Promise<string> => {
    await using t = testMedia({ files: { it: data }, transcode: false });
    const outcome = await t.media.probe("it").then(
      () => "ok",
      (error: { readonly code: string }) => error.code,
    );
    expect([t.content.openFiles(), t.content.holds()]).toEqual([0, 0]);
    return outcome;
  };

  test("random bytes, with and without a real beginning, end in a clear error", {
    timeout: 60_000,
  }, async () => {
    const heads = [
      "",
      "ftypisom",
      "\x1aE\xdf\xa3",
      "RIFF\x00\x00\x00\x00WAVE",
      "OggS",
      "fLaC",
      "ID3\x03",
      "G",
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 3000 }), async (head, tail) => {
        const start = head === "ftypisom" ? `\x00\x00\x00\x10${head}\x00\x00\x00\x00` : head;
        expect(["ok", ...codes]).toContain(await probed(Buffer.concat([Buffer.from(start, "latin1"), tail])));
      }),
      { numRuns: 150 },
    );
  });

  test("samples cut anywhere and with bytes turned over probe, or fail clearly", {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(CLEAN, REAL),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(fc.tuple(fc.nat(60_000), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
        fc.boolean(),
        async (file, share, changes, atEnd) => {
          const data = file.slice(0, Math.max(1, Math.floor(file.length * (changes.length > 0 ? 1 : share))));
          for (const [at, value] of changes) data[atEnd ? data.length - 1 - at : at] = value;
          expect(["ok", ...codes]).toContain(await probed(data));
        },
      ),
      { numRuns: 60 },
    );
  });
});

const zoo = process.env["CIDCAST_TEST_MEDIA"];

describe.skipIf(zoo === undefined)("files in CIDCAST_TEST_MEDIA", () => {
  test.each(zoo === undefined ? [] : readdirSync(zoo))(
    "%s probes with a verdict for each track",
    async name => {
      await using t = testMedia({ files: { it: readFileSync(join(zoo ?? "", name)) } });
      const info = await t.media.probe("it");
      expect(info.tracks.length).toBeGreaterThan(0);
      expect(info.tracks.every(track => track.verdict.reason.length > 10 && track.durationSeconds > 0)).toBe(
        true,
      );
      expect(JSON.parse(JSON.stringify(info))).toMatchObject({ container: info.container });
    },
  );
});
