import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { VirtualClock } from "../../core/index.ts";
import { mediaChildren } from "../testing/children.ts";
import { type ClipInit, makeClip } from "../testing/clips.ts";
import { testMedia } from "../testing/harness.ts";
import { findEncoder } from "../transcode/encoder.ts";
import type { MediaSource } from "../types.ts";

const hasEncoder = findEncoder({}).kind === "node-av";

const H264 = { encoder: "libx264", options: { preset: "ultrafast" }, bFrames: 2, frames: 40 } as const;
const MPEG4 = { encoder: "mpeg4", bFrames: 2, frames: 40 } as const;
const AAC = [{ encoder: "aac", seconds: 1.3 }];

/** One clip of each container, small enough that many can be damaged in a test. */
const CLIPS: Readonly<Record<string, ClipInit>> = {
  mp4: { container: "mp4", muxer: { movflags: "+faststart" }, video: H264, audio: AAC },
  "fragmented mp4": {
    container: "mp4",
    muxer: { movflags: "frag_keyframe+empty_moov" },
    video: H264,
    audio: AAC,
  },
  mov: { container: "mov", video: MPEG4, audio: [{ encoder: "pcm_s16le", seconds: 1.3 }] },
  matroska: { container: "matroska", video: H264, audio: [{ encoder: "ac3", seconds: 1.3 }] },
  webm: {
    container: "webm",
    video: { encoder: "libvpx", options: { deadline: "realtime", "cpu-used": "8" }, frames: 40 },
    audio: [{ encoder: "libopus", seconds: 1.3 }],
  },
  mpegts: { container: "mpegts", video: H264, audio: AAC },
  "program stream": { container: "vob", video: { encoder: "mpeg2video", bFrames: 2, frames: 40 } },
  avi: { container: "avi", video: MPEG4, audio: [{ encoder: "libmp3lame", seconds: 1.3 }] },
  flv: { container: "flv", video: H264, audio: AAC },
  mp3: { container: "mp3", audio: [{ encoder: "libmp3lame", seconds: 1.3 }] },
  flac: { container: "flac", audio: [{ encoder: "flac", seconds: 1.3 }] },
  ogg: { container: "ogg", audio: [{ encoder: "libopus", seconds: 1.3 }] },
};

/** What a damaged file may end in; everything else is a fault of the node. */
const OUTCOMES = ["played", "UNSUPPORTED_MEDIA", "CORRUPT_MEDIA", "TRANSCODE_FAILED"];

/** Damaged versions of each clip that are played. */
const RUNS = 4;

/** A place in a file. */
const share = fc.nat(1_000_000).map(millionths => millionths / 1_000_000);

/** Cut off somewhere, then with bytes turned over and a stretch of zeros. */
const damage = fc.record({
  keep: fc.oneof({ weight: 2, arbitrary: fc.constant(1) }, share),
  bytes: fc.array(fc.tuple(share, fc.integer({ min: 0, max: 255 })), {
    maxLength: 40,
  }),
  hole: fc.option(fc.tuple(share, fc.nat(2000))),
});

function damaged(
  clip: Uint8Array,
  { keep, bytes, hole }: typeof damage extends fc.Arbitrary<infer T> ? T : never,
) {
  const out = Uint8Array.from(clip.subarray(0, Math.max(1, Math.ceil(clip.length * keep))));
  const place = (at: number): number => Math.floor(at * (out.length - 1));
  for (const [at, value] of bytes) out[place(at)] = value;
  if (hole !== null) out.fill(0, place(hole[0]), place(hole[0]) + hole[1]);
  return out;
}

describe.skipIf(!hasEncoder)("damaged files of every container", () => {
  // The clock stands still: a slow machine is not taken for a child that hangs, and one that hangs fails the test.
  const t = testMedia({ files: {}, clock: new VirtualClock() });
  afterAll(() => t.media.stop());

  test.each(Object.entries(CLIPS))(
    "%s: plays as far as it goes, or fails clearly, and leaves nothing behind",
    {
      timeout: 120_000,
    },
    async (name, init) => {
      const clip = await makeClip(init);
      let count = 0;
      await fc.assert(
        fc.asyncProperty(damage, async change => {
          const id = `${name} ${++count}`;
          t.content.set(id, damaged(clip, change));
          expect(OUTCOMES).toContain(await outcomeOf(id));
          expect([t.content.openFiles(), t.content.holds()]).toEqual([0, 0]);
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
      // No process is given up over it, and none is left running beside those kept for reuse.
      expect(mediaChildren().length).toBeLessThanOrEqual(4);
    },
  );

  async function outcomeOf(id: string): Promise<string> {
    try {
      await using source = await t.media.open(id);
      return await played(source);
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : String(error);
    }
  }

  async function played(source: MediaSource): Promise<string> {
    for (const id of source.defaultTrackIds) {
      const rendition = await source.rendition(id);
      let segment = await rendition.segmentAt(0);
      for (let i = 0; segment !== undefined && i < 12; i++) segment = await rendition.segmentAfter(segment);
      await rendition.segmentAt(source.info.durationSeconds * 0.7);
    }
    return "played";
  }
});
