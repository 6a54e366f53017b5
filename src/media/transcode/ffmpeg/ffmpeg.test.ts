import { describe, expect, test } from "vitest";
import { decodeOpus, onsets, shownFrames } from "../../testing/decode.ts";
import { allSegments, testMedia, timesOf } from "../../testing/harness.ts";
import { sample } from "../../testing/memory-content.ts";
import { FragmentParser } from "./fragment-parser.ts";

const ffmpegPath = process.env["FFMPEG_PATH"];

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

describe.skipIf(ffmpegPath === undefined)("with the program in FFMPEG_PATH", () => {
  test.each([0, 11])("pictures and sound from second %i on are those of their time", async second => {
    await using t = testMedia({ files: { real: sample("sample-real-world.mp4") }, ffmpegPath });
    await using source = await t.media.open("real");
    const pictures = await allSegments(await source.rendition("v0"), second);
    const shown = shownFrames(pictures);
    expect(shown).toHaveLength(720 - second * 30);
    expect(shown.every(({ pts, shown: number }) => Math.abs(pts * 30 - number) < 0.05)).toBe(true);
    expect(pictures.filter(s => s.startsWithKey).map(s => Math.round(s.startSeconds))).toEqual(
      Array.from({ length: 24 - second }, (_, i) => second + i),
    );
    const heard = await allSegments(await source.rendition("a0"), second);
    expect(timesOf(heard)[0]).toBeCloseTo(second, 3);
    const beeps = onsets(decodeOpus(heard));
    for (const [i, beep] of beeps.slice(1).entries()) expect(Math.abs(beep - (i + 1))).toBeLessThan(0.004);
    expect(beeps).toHaveLength(24 - second);
  });
});
