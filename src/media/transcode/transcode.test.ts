import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VirtualClock } from "../../core/index.ts";
import { nalType, splitLengthPrefixed } from "../demux/nal.ts";
import { mediaChildren, signalChildren } from "../testing/children.ts";
import { decodeOpus, onsets, shownFrames } from "../testing/decode.ts";
import { allSegments, framesOf, testMedia, timesOf } from "../testing/harness.ts";
import { sample } from "../testing/memory-content.ts";
import type { MediaSource, RenditionSource, Segment } from "../types.ts";
import { findEncoder } from "./encoder.ts";

const REAL = sample("sample-real-world.mp4");
const hasEncoder = findEncoder({}).kind === "node-av";

/** The next event of that type. */
function told(t: ReturnType<typeof testMedia>, type: "transcode_started" | "transcode_stopped") {
  return t.events.next(type);
}

describe.skipIf(!hasEncoder)("transcoding the way most files are", () => {
  let t: ReturnType<typeof testMedia>;
  let source: MediaSource;
  let video: RenditionSource;
  let sound: RenditionSource;
  let pictures: Segment[];
  let heard: Segment[];
  beforeAll(async () => {
    // The clock stands still: however slow the machine, nothing falls behind and no picture is left out.
    t = testMedia({ files: { real: REAL }, clock: new VirtualClock() });
    source = await t.media.open("real");
    [video, sound] = await Promise.all([source.rendition("v0"), source.rendition("a0")]);
    [pictures, heard] = await Promise.all([allSegments(video), allSegments(sound)]);
  });
  afterAll(() => t.media.stop());

  test("every picture comes out at its time, in order, and shows what the source shows then", () => {
    expect(video.info).toMatchObject({
      id: "h264-720p",
      codec: "h264",
      width: 1280,
      height: 720,
      rotation: 0,
    });
    const times = timesOf(pictures);
    expect(times).toHaveLength(720);
    for (const [i, time] of times.entries()) expect(time).toBeCloseTo(i / 30, 5);
    const shown = shownFrames(pictures);
    expect(shown).toHaveLength(720);
    for (const { pts, shown: number } of shown) expect(number).toBe(Math.round(pts * 30));
  });

  test("each second begins with an IDR picture and its parameter sets; nothing is reordered", () => {
    const keys = pictures.filter(segment => segment.startsWithKey);
    expect(keys.map(segment => segment.startSeconds)).toEqual(Array.from({ length: 24 }, (_, i) => i));
    for (const segment of pictures) {
      const types = framesOf(segment).map(frame => splitLengthPrefixed(frame, 4)?.map(nalType) ?? []);
      expect(types[0]?.includes(5)).toBe(segment.startsWithKey);
      expect(types[0]?.slice(0, 2)).toEqual(segment.startsWithKey ? [7, 8] : [1]);
      expect(types.slice(1).flat()).not.toContain(5);
      const sps = framesOf(segment).flatMap(frame => splitLengthPrefixed(frame, 4) ?? []);
      for (const nal of sps.filter(unit => nalType(unit) === 7)) expect(nal[1]).toBe(66);
    }
  });

  test("segments join without a gap, and the last one says so", () => {
    for (const segments of [pictures, heard]) {
      expect(segments.map(segment => segment.last)).toEqual(
        segments.map((_, i) => i === segments.length - 1),
      );
      for (const [i, next] of segments.slice(1).entries()) {
        expect(next.startSeconds).toBeCloseTo(segments[i]?.endSeconds ?? Number.NaN, 6);
        expect(next.index).toBeGreaterThan(segments[i]?.index ?? Number.NaN);
      }
    }
  });

  test("sound is Opus in 20 ms frames, and each beep is heard on its second", () => {
    expect(sound.info).toMatchObject({ codec: "opus", channels: 2 });
    const times = timesOf(heard);
    expect(times).toHaveLength(1200);
    for (const [i, time] of times.entries()) expect(time).toBeCloseTo(i * 0.02, 6);
    const beeps = onsets(decodeOpus(heard));
    expect(beeps).toHaveLength(24);
    // The first begins with the file, where the encoder knows no sound before.
    expect(beeps[0]).toBeLessThan(0.01);
    for (const [i, beep] of beeps.slice(1).entries()) expect(Math.abs(beep - (i + 1))).toBeLessThan(0.002);
  });

  test("sound from the middle is that of its place too", async () => {
    await using other = testMedia({ files: { real: REAL } });
    await using again = await other.media.open("real");
    const part = await allSegments(await again.rendition("a0"), 17.5);
    expect(part[0]?.startSeconds).toBe(17);
    const beeps = onsets(decodeOpus(part));
    expect(beeps).toHaveLength(7);
    // A receiver that comes from nowhere needs a frame to settle.
    expect(beeps[0]).toBeLessThan(0.03);
    for (const [i, beep] of beeps.slice(1).entries()) expect(Math.abs(beep - (i + 1))).toBeLessThan(0.002);
  });

  test("a seek begins at the second before, with a keyframe of pictures that decode from there", async () => {
    await using other = testMedia({ files: { real: REAL } });
    await using again = await other.media.open("real");
    const rendition = await again.rendition("v0");
    const first = await rendition.segmentAt(13.4);
    expect([first?.startSeconds, first?.startsWithKey]).toEqual([13, true]);
    const next = first && (await rendition.segmentAfter(first));
    const shown = shownFrames([first, next].filter(segment => segment !== undefined));
    expect(shown[0]).toEqual({ pts: 13, shown: 390 });
    expect(shown.every(({ pts, shown: number }) => number === Math.round(pts * 30))).toBe(true);
    expect(await rendition.segmentAt(24)).toBeUndefined();
  });
});

describe.skipIf(!hasEncoder)("transcode jobs", () => {
  test("viewers at the same place share one job and its segments", async () => {
    await using t = testMedia({ files: { real: REAL } });
    const [one, two] = await Promise.all([t.media.open("real"), t.media.open("real")]);
    const [a, b] = await Promise.all([one.rendition("v0"), two.rendition("v0")]);
    const [first, second] = await Promise.all([a.segmentAt(0.2), b.segmentAt(0.9)]);
    expect(first).toBe(second);
    expect(t.told.filter(type => type === "transcode_started")).toHaveLength(1);
    await Promise.all([one.close(), two.close()]);
  });

  test("the last handle ends its jobs; what they made stays for the next viewer", async () => {
    await using t = testMedia({ files: { real: REAL } });
    const first = await t.media.open("real");
    const video = await first.rendition("v0");
    const segment = await video.segmentAt(0);
    // Once the next second has begun this one is whole.
    await video.segmentAt(1);
    const stopped = told(t, "transcode_stopped");
    await first.close();
    expect(await stopped).toMatchObject({ reason: "the last handle was closed" });
    expect([t.content.openFiles(), t.content.holds()]).toEqual([0, 0]);
    await using again = await t.media.open("real");
    expect(await (await again.rendition("v0")).segmentAt(0)).toBe(segment);
  });

  test("one viewer too many is refused with the reason, and served when there is room", async () => {
    await using t = testMedia({ files: { a: REAL, b: REAL }, maxVideoJobs: 1 });
    const one = await t.media.open("a");
    await (await one.rendition("v0")).segmentAt(0);
    await using two = await t.media.open("b");
    const other = await two.rendition("v0");
    await expect(other.segmentAt(0)).rejects.toMatchObject({
      code: "BUSY",
      message: expect.stringContaining("1 video track at a time"),
      retryAfterSeconds: 5,
    });
    // Sound is counted apart.
    expect((await (await two.rendition("a0")).segmentAt(0))?.frameCount).toBe(50);
    await one.close();
    expect((await other.segmentAt(0))?.startsWithKey).toBe(true);
  });

  test("a viewer who seeks takes its own place in the limit along", async () => {
    await using t = testMedia({ files: { real: REAL }, maxVideoJobs: 1 });
    await using source = await t.media.open("real");
    const video = await source.rendition("v0");
    for (const time of [0, 20, 8]) expect((await video.segmentAt(time))?.startSeconds).toBe(time);
  });

  test("it stops when nothing is asked of it, and begins anew when something is", async () => {
    const clock = new VirtualClock();
    await using t = testMedia({ files: { real: REAL }, clock });
    await using source = await t.media.open("real");
    const sound = await source.rendition("a0");
    await sound.segmentAt(0);
    const stopped = told(t, "transcode_stopped");
    clock.advance(9000);
    expect(t.told).not.toContain("transcode_stopped");
    clock.advance(2000);
    expect(await stopped).toMatchObject({ reason: "nothing was asked of it for a while" });
    // Asked again it starts anew at that place.
    const started = told(t, "transcode_started");
    const later = await sound.segmentAt(20);
    await started;
    expect(later?.startSeconds).toBe(20);
  });

  test("a child that dies is replaced once, and the viewer goes on", async () => {
    await using t = testMedia({ files: { real: REAL }, clock: new VirtualClock() });
    await using source = await t.media.open("real");
    const video = await source.rendition("v0");
    // Both processes that were started for the file have work: neither waits as a spare.
    const sound = await source.rendition("a0");
    const [first] = await Promise.all([video.segmentAt(0), sound.segmentAt(0)]);
    signalChildren(mediaChildren(), "SIGKILL");
    let segment = first;
    const times: number[] = [];
    while (segment !== undefined && segment.startSeconds < 5) {
      times.push(...segment.ptsSeconds);
      segment = await video.segmentAfter(segment);
    }
    expect(times.at(-1)).toBeCloseTo(4.9667, 3);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    // At most the rest of the second in which it happened is missing.
    expect(times.length).toBeGreaterThanOrEqual(120);
    expect(t.told).not.toContain("transcode_failed");
  });

  test("a child that dies again ends the job with TRANSCODE_FAILED", async () => {
    await using t = testMedia({ files: { real: REAL } });
    await using source = await t.media.open("real");
    const video = await source.rendition("v0");
    const failed = t.events.next("transcode_failed");
    let segment = await video.segmentAt(0);
    const outcome = (async () => {
      while (segment !== undefined) {
        signalChildren(mediaChildren(), "SIGKILL");
        segment = await video.segmentAfter(segment);
      }
    })();
    await expect(outcome).rejects.toMatchObject({ code: "TRANSCODE_FAILED" });
    expect(await failed).toMatchObject({ trackId: "v0" });
  });

  test("waiting ends with the caller's signal, and with the handle", async () => {
    await using t = testMedia({ files: { real: REAL } });
    const source = await t.media.open("real");
    const video = await source.rendition("v0");
    const controller = new AbortController();
    const waiting = video.segmentAt(10, { signal: controller.signal });
    controller.abort(new Error("changed my mind"));
    await expect(waiting).rejects.toThrow("changed my mind");
    const orphan = video.segmentAt(15);
    const outcome = orphan.catch((error: unknown) => error);
    await source.close();
    expect(await outcome).toMatchObject({ code: "ABORTED" });
  });

  test("no child is left when the domain stops", async () => {
    const t = testMedia({ files: { real: REAL }, warmEncoders: 1 });
    await t.media.start();
    const source = await t.media.open("real");
    await (await source.rendition("v0")).segmentAt(0);
    expect(mediaChildren().length).toBeGreaterThan(0);
    await t.media.stop();
    expect(mediaChildren()).toEqual([]);
    expect([t.content.openFiles(), t.content.holds()]).toEqual([0, 0]);
  });
});
