import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../core/index.ts";
import { MAX_TRACKS, SEGMENT_MAX_FRAMES } from "../limits.ts";
import { mediaChildren, signalChildren } from "../testing/children.ts";
import { makeClip } from "../testing/clips.ts";
import { shownFrames } from "../testing/decode.ts";
import { allSegments, testMedia, timesOf } from "../testing/harness.ts";
import { sample } from "../testing/memory-content.ts";
import { findEncoder } from "../transcode/encoder.ts";
import type { Segment } from "../types.ts";

const hasEncoder = findEncoder({}).kind === "node-av";
const ULTRAFAST = { preset: "ultrafast" };

describe.skipIf(!hasEncoder)("limits on files", () => {
  test("of a file with more tracks than are looked at, the first ones play", async () => {
    const audio = Array.from({ length: MAX_TRACKS + 2 }, () => ({ encoder: "libopus", seconds: 0.02 }));
    await using t = testMedia({ files: { clip: await makeClip({ container: "mp4", audio }) } });
    expect((await t.media.probe("clip")).tracks).toHaveLength(MAX_TRACKS);
  });

  test("a thousand pictures a second make shorter segments, not larger ones", async () => {
    const frames = SEGMENT_MAX_FRAMES + 50;
    const video = { encoder: "libx264", options: ULTRAFAST, frames, rate: [1000, 1], gop: 1000 } as const;
    await using t = testMedia({ files: { clip: await makeClip({ container: "mp4", video }) } });
    await using source = await t.media.open("clip");
    const segments = await allSegments(await source.rendition("v0"));
    expect(segments.map(segment => segment.frameCount)).toEqual([SEGMENT_MAX_FRAMES, 50]);
    expect(segments.map(segment => segment.startsWithKey)).toEqual([true, false]);
    expect(timesOf(segments)).toHaveLength(frames);
  });
});

describe.skipIf(!hasEncoder)("limits on work", () => {
  test("one sound job too many is refused with the reason", async () => {
    const real = sample("sample-real-world.mp4");
    await using t = testMedia({ files: { a: real, b: real }, maxAudioJobs: 1 });
    await using one = await t.media.open("a");
    await (await one.rendition("a0")).segmentAt(0);
    await using two = await t.media.open("b");
    await expect((await two.rendition("a0")).segmentAt(0)).rejects.toMatchObject({
      code: "BUSY",
      message: expect.stringContaining("1 audio track at a time"),
    });
  });

  test("a child that says nothing is replaced, and the viewer goes on", async () => {
    const clock = new VirtualClock();
    // One track that is transcoded, so one child: a second one would still be starting while the clock runs.
    const audio = [{ encoder: "aac", seconds: 30 }];
    await using t = testMedia({ files: { clip: await makeClip({ container: "mp4", audio }) }, clock });
    await using source = await t.media.open("clip");
    const sound = await source.rendition("a0");
    const first = await sound.segmentAt(0);
    expect(first?.startSeconds).toBe(0);
    const silent = mediaChildren();
    expect(silent).toHaveLength(1);
    signalChildren(silent, "SIGSTOP");
    const later = sound.segmentAt(20);
    // Until the silent one is given up; then the clock stands still while the next one starts.
    while (!silent.some(child => child.killed)) {
      clock.advance(1000);
      await new Promise(resolve => setImmediate(resolve));
    }
    signalChildren(silent, "SIGCONT");
    expect((await later)?.startSeconds).toBe(20);
    expect(t.told).not.toContain("transcode_failed");
  });
});

describe.skipIf(!hasEncoder)("a machine that does not keep up", () => {
  test("leaves out pictures rather than stall, and each second still begins with a keyframe", async () => {
    const clock = new VirtualClock();
    const video = { encoder: "libx264", options: { preset: "fast" }, bFrames: 2, frames: 900 } as const;
    await using t = testMedia({ files: { clip: await makeClip({ container: "mp4", video }) }, clock });
    await using source = await t.media.open("clip");
    const rendition = await source.rendition("v0");
    const segments: Segment[] = [];
    let segment = await rendition.segmentAt(0);
    const slow = mediaChildren();
    signalChildren(slow, "SIGSTOP");
    // The child stands still while its reader takes all that is made, and waits: so it is behind by the clock.
    let waiting: Promise<Segment | undefined> | undefined;
    while (waiting === undefined && segment !== undefined) {
      segments.push(segment);
      const next = rendition.segmentAfter(segment);
      const made = await Promise.race([next, soon()]);
      if (made === "not yet") waiting = next;
      else segment = made;
    }
    for (let i = 0; i < 14; i++) {
      clock.advance(500);
      await new Promise(resolve => setImmediate(resolve));
    }
    signalChildren(slow, "SIGCONT");
    segment = await waiting;
    expect(rendition.paceLevel).toBeGreaterThan(0);
    while (segment !== undefined) {
      segments.push(segment);
      segment = await rendition.segmentAfter(segment);
    }
    const bySecond = Map.groupBy(timesOf(segments), time => Math.floor(time + 1e-6));
    expect([...bySecond.keys()]).toEqual(Array.from({ length: 30 }, (_, i) => i));
    const counts = [...bySecond.values()].map(times => times.length);
    expect(counts.at(-1)).toBeLessThanOrEqual(16);
    expect(segments.filter(s => s.startsWithKey).map(s => Math.round(s.startSeconds))).toEqual(
      Array.from({ length: 30 }, (_, i) => i),
    );
    for (const { pts, shown } of shownFrames(segments)) expect(shown).toBe(Math.round(pts * 30));
    expect(segments.at(-1)?.last).toBe(true);
    expect(t.told).not.toContain("transcode_failed");
    // Who comes when the machine has time again gets all of them.
    await using again = await t.media.open("clip");
    expect(timesOf(await allSegments(await again.rendition("v0"), 29))).toHaveLength(30);
  });
});

/** After as many turns as what lies in the channel already needs: a child that stands still adds nothing. */
async function soon(): Promise<"not yet"> {
  for (let turn = 0; turn < 200; turn++) await new Promise(resolve => setImmediate(resolve));
  return "not yet";
}
