import { createLibraryDemuxer } from "./library-demuxer.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { CidcastError, silentLogger, systemClock, VirtualClock } from "../../../core/index.ts";
import { DEMUX_MAX_CRASHES, MAX_DEMUX_CURSORS } from "../../limits.ts";
import { mediaChildren, signalChildren } from "../../testing/children.ts";
import { makeClip } from "../../testing/clips.ts";
import { shownFrames } from "../../testing/decode.ts";
import { allSegments, testMedia, timesOf } from "../../testing/harness.ts";
import { findEncoder } from "../../transcode/encoder.ts";
import { EncoderPool } from "../../transcode/jobs/encoder-pool.ts";
import type { Segment } from "../../types.ts";

const hasLibrary = findEncoder({}).kind === "node-av";

/** Pictures per second, and seconds between keyframes. */
const RATE = 10;
const GOP = 2;
const SECONDS = 60;

/** A minute as it is recorded off the air: a constant rate, most of it padding, 60 MB. */
const RECORDING = {
  container: "mpegts",
  muxer: { muxrate: "8000000" },
  video: {
    encoder: "libx264",
    options: { preset: "ultrafast" },
    rate: [RATE, 1],
    frames: SECONDS * RATE,
    gop: GOP * RATE,
  },
  audio: [{ encoder: "aac", seconds: SECONDS }],
} as const;

describe.skipIf(!hasLibrary)("files that FFmpeg's demuxer reads", () => {
  let recording: Uint8Array;
  beforeAll(async () => {
    recording = await makeClip(RECORDING);
  });

  test("a transport stream opens in a few reads, and a seek takes few more", async () => {
    await using t = testMedia({ files: { recording } });
    await using source = await t.media.open("recording");
    expect(source.info.durationSeconds).toBeCloseTo(SECONDS, 0);
    const opened = { reads: t.content.reads(), bytes: t.content.bytesRead() };
    const video = await source.rendition("v0");
    const seeks: number[] = [];
    for (const seconds of [31.3, 7.9, 55.2, 44.4, 18.1]) {
      const before = t.content.reads();
      const segment = await video.segmentAt(seconds);
      seeks.push(t.content.reads() - before);
      const keyframe = Math.floor(seconds / GOP) * GOP;
      expect(segment?.startSeconds).toBeCloseTo(keyframe, 1);
      expect(segment?.startsWithKey).toBe(true);
      const [first] = shownFrames(segment === undefined ? [] : [segment]);
      expect(first?.shown).toBe(keyframe * RATE);
    }
    expect(opened.reads).toBeLessThanOrEqual(20);
    expect(Math.max(...seeks)).toBeLessThanOrEqual(30);
  });

  test("who plays on reads on: no place is looked for twice", async () => {
    await using t = testMedia({ files: { recording } });
    await using source = await t.media.open("recording");
    const video = await source.rendition("v0");
    const before = t.content.bytesRead();
    const segments = await allSegments(video);
    expect(timesOf(segments)).toHaveLength(SECONDS * RATE);
    expect(shownFrames(segments).map(picture => picture.shown)).toEqual(
      Array.from({ length: SECONDS * RATE }, (_, i) => i),
    );
    expect(t.content.bytesRead() - before).toBeLessThan(recording.length * 1.1);
  });

  test("more places than are read at a time take turns, and each gets all of its pictures", {
    timeout: 60_000,
  }, async () => {
    await using t = testMedia({ files: { recording }, gopStoreMaxBytes: 1 });
    const places = Array.from({ length: MAX_DEMUX_CURSORS + 2 }, (_, i) => i * 4);
    await using source = await t.media.open("recording");
    const video = await source.rendition("v0");
    const ways = await Promise.all(
      places.map(async place => {
        const segments: Segment[] = [];
        let segment = await video.segmentAt(place + 0.1);
        while (segment !== undefined && segment.startSeconds < place + 1.2) {
          segments.push(segment);
          segment = await video.segmentAfter(segment);
        }
        return segments;
      }),
    );
    for (const [i, segments] of ways.entries()) {
      const first = (places[i] ?? 0) * RATE;
      const shown = shownFrames(segments).map(picture => picture.shown);
      expect(shown.slice(0, 15)).toEqual(Array.from({ length: 15 }, (_, n) => first + n));
    }
  });

  test("a demuxer that dies is replaced, and playing goes on where it was", async () => {
    await using t = testMedia({ files: { recording } });
    await using source = await t.media.open("recording");
    const video = await source.rendition("v0");
    let segment = await video.segmentAt(10.5);
    const shown = shownFrames(segment === undefined ? [] : [segment]).map(picture => picture.shown);
    signalChildren(mediaChildren(), "SIGKILL");
    for (let i = 0; i < 8 && segment !== undefined; i++) {
      segment = await video.segmentAfter(segment);
      if (segment?.startsWithKey === true) shown.push(shownFrames([segment])[0]?.shown ?? Number.NaN);
    }
    expect(shown.filter(frame => frame % 20 === 0)).toEqual([100, 120, 140, 160, 180]);
  });

  test("a file that makes it die again and again is given up with the reason", async () => {
    await using t = testMedia({ files: { recording } });
    await using source = await t.media.open("recording");
    const video = await source.rendition("v0");
    const outcomes: unknown[] = [];
    for (let i = 0; i <= DEMUX_MAX_CRASHES + 1; i++) {
      outcomes.push(await video.segmentAt(i * 8 + 0.5).catch((error: unknown) => error));
      signalChildren(mediaChildren(), "SIGKILL");
    }
    expect(outcomes.at(-1)).toMatchObject({
      code: "CORRUPT_MEDIA",
      message: expect.stringContaining("crash"),
    });
  });

  test("one that says nothing is replaced", async () => {
    const clock = new VirtualClock();
    // Nothing of it is transcoded, so there is one child.
    const pictures = await makeClip({ ...RECORDING, audio: [] });
    await using t = testMedia({ files: { pictures }, clock });
    await using source = await t.media.open("pictures");
    const video = await source.rendition("v0");
    const silent = mediaChildren();
    expect(silent).toHaveLength(1);
    signalChildren(silent, "SIGSTOP");
    const later = video.segmentAt(40.5);
    while (!silent.some(child => child.killed)) {
      clock.advance(1000);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect((await later)?.startSeconds).toBeCloseTo(40, 1);
  });

  test("bytes that cannot be had are told as what they are, not as the end of the file", async () => {
    await using t = testMedia({ files: { recording } });
    await using source = await t.media.open("recording");
    const video = await source.rendition("v0");
    t.content.failReads(new CidcastError("CONTENT_NOT_FOUND", "a block is missing"));
    await expect(video.segmentAt(50.5)).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
    t.content.failReads(undefined);
    expect((await video.segmentAt(50.5))?.startSeconds).toBeCloseTo(50, 1);
  });

  test("one file too many is refused with the reason, and read when there is room", async () => {
    const clip = await makeClip({ container: "aiff", audio: [{ encoder: "pcm_s16be", seconds: 0.1 }] });
    const clock = systemClock;
    const pool = new EncoderPool({ ffmpegPath: undefined, log: silentLogger, clock, warm: 0 });
    const library = createLibraryDemuxer({ pool, clock, log: silentLogger, maxOpen: 1 });
    const format = { name: "aiff", label: "AIFF", first: true, searched: false };
    const file = {
      cid: "clip",
      size: clip.length,
      format,
      read: async (start: number, end: number) => clip.slice(start, end),
    };
    const one = await library.open(file);
    await expect(library.open(file)).rejects.toMatchObject({
      code: "BUSY",
      message: expect.stringContaining("1 files"),
      retryAfterSeconds: 5,
    });
    await one.close();
    const two = await library.open(file);
    expect(two.tracks).toHaveLength(1);
    await two.close();
    await pool.stop();
  });

  test("without the library the node's own demuxer reads a transport stream", async () => {
    const short = await makeClip({ ...RECORDING, muxer: {}, audio: [{ encoder: "aac", seconds: 6 }] });
    await using t = testMedia({ files: { short }, transcode: false });
    const info = await t.media.probe("short");
    expect(info.tracks.map(track => track.kind)).toEqual(["video", "audio"]);
  });
});
