import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeOpus, onsets, shownFrames } from "../../testing/decode.ts";
import { ffmpegProgram } from "../../testing/ffmpeg-program.ts";
import { allSegments, testMedia, timesOf } from "../../testing/harness.ts";
import { sample } from "../../testing/memory-content.ts";
import type { RenditionSource, Segment } from "../../types.ts";
import { FragmentParser } from "./fragment-parser.ts";

const ffmpegPath = ffmpegProgram();

function box(type: string, ...bodies: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(bodies);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, body]);
}

const words = (...values: readonly number[]): Buffer =>
  Buffer.concat(values.map(value => Buffer.from(Uint32Array.of(value).buffer).swap32()));

/** A stream with a timescale of 1000 and one fragment of two samples. */
const STREAM = Buffer.concat([
  box("ftyp", words(0)),
  box("moov", box("trak", box("mdia", box("mdhd", words(0, 0, 0, 1000, 0))))),
  box(
    "moof",
    box(
      "traf",
      box("tfhd", words(0x02_00_08, 1, 40)),
      box("tfdt", words(0x01_00_00_00, 0, 10_000)),
      box("trun", words(0x00_02_01, 2, 0, 3, 2)),
    ),
  ),
  box("mdat", Buffer.from("abcde")),
]);

describe("FragmentParser", () => {
  test.each([1, 7, 1000])("samples and times are the same in pieces of %i bytes", size => {
    const parser = new FragmentParser();
    const samples = [];
    for (let at = 0; at < STREAM.length; at += size)
      samples.push(...parser.push(STREAM.subarray(at, at + size)));
    expect(samples.map(s => [Buffer.from(s.data).toString(), s.ptsSeconds])).toEqual([
      ["abc", 10],
      ["de", 10.04],
    ]);
  });

  test("an index at the end that does not say its size ends the samples", () => {
    const parser = new FragmentParser();
    expect(parser.push(Buffer.concat([STREAM, words(0), Buffer.from("mfra"), words(1, 2, 3)]))).toHaveLength(
      2,
    );
    expect(parser.push(words(4, 5, 6))).toEqual([]);
  });

  test("what is no MP4 is refused", () => {
    expect(() => new FragmentParser().push(Buffer.from("ffmpeg: error!!!"))).toThrow("something else");
  });
});

describe("an ffmpeg program that is not there", () => {
  test("is told as ENCODER_MISSING with what to do", async () => {
    const real = sample("sample-real-world.mp4");
    await using t = testMedia({ files: { real }, ffmpegPath: "/nowhere/ffmpeg" });
    await using source = await t.media.open("real");
    const sound = await source.rendition("a0");
    await expect(sound.segmentAt(0)).rejects.toMatchObject({
      code: "ENCODER_MISSING",
      message: expect.stringContaining("FFMPEG_PATH"),
    });
  });
});

/** How much is looked at, seconds. */
const SECONDS = 4;

/** The segments of a few whole seconds. */
async function stretch(source: RenditionSource, fromSecond: number): Promise<Segment[]> {
  const segments: Segment[] = [];
  let segment = await source.segmentAt(fromSecond);
  while (segment !== undefined && segment.startSeconds < fromSecond + SECONDS - 0.01) {
    segments.push(segment);
    segment = await source.segmentAfter(segment);
  }
  return segments;
}

describe.skipIf(ffmpegPath === undefined)("with an ffmpeg program", () => {
  test.each([0, 11])("pictures and sound from second %i on are those of their time", async second => {
    await using t = testMedia({ files: { real: sample("sample-real-world.mp4") }, ffmpegPath });
    await using source = await t.media.open("real");
    const pictures = await stretch(await source.rendition("v0"), second);
    const shown = shownFrames(pictures);
    expect(shown).toHaveLength(SECONDS * 30);
    expect(shown.every(({ pts, shown: number }) => Math.abs(pts * 30 - number) < 0.05)).toBe(true);
    expect(pictures.filter(s => s.startsWithKey).map(s => Math.round(s.startSeconds))).toEqual(
      Array.from({ length: SECONDS }, (_, i) => second + i),
    );
    const heard = await stretch(await source.rendition("a0"), second);
    expect(timesOf(heard)[0]).toBeCloseTo(second, 3);
    const beeps = onsets(decodeOpus(heard)).filter(beep => beep < SECONDS - 0.1);
    for (const [i, beep] of beeps.slice(1).entries()) expect(Math.abs(beep - (i + 1))).toBeLessThan(0.004);
    expect(beeps).toHaveLength(SECONDS);
  });

  test("one that dies in the middle of a second is told as a failure, not taken for the end", async () => {
    const directory = await mkdtemp(join(tmpdir(), "cidcast-ffmpeg-"));
    const dying = join(directory, "ffmpeg");
    const whole = `'${ffmpegPath}' "$@"`;
    // Some 1.5 s of sound, then nothing more.
    const script = `#!/bin/sh\n[ "$1" = -version ] && exec ${whole}\n${whole} | head -c 28000\nexit 3\n`;
    await writeFile(dying, script, { mode: 0o755 });
    try {
      await using t = testMedia({
        files: { real: sample("sample-real-world.mp4") },
        ffmpegPath: dying,
      });
      await using source = await t.media.open("real");
      await expect(allSegments(await source.rendition("a0"))).rejects.toMatchObject({
        code: "TRANSCODE_FAILED",
      });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
