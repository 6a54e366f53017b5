import { describe, expect, test } from "vitest";
import { decodeOpus, onsets } from "../testing/decode.ts";
import { ffmpegProgram } from "../testing/ffmpeg-program.ts";
import { allSegments, testMedia, timesOf } from "../testing/harness.ts";
import { sample } from "../testing/memory-content.ts";
import { findEncoder } from "./encoder.ts";

/** One has AAC, the other Opus that is sent as it is at rate 1; both beep at each second. */
const CLIPS = { real: sample("sample-real-world.mp4"), plain: sample("sample-720p.mp4") };
const hasEncoder = findEncoder({}).kind === "node-av";
const program = ffmpegProgram();
const ENCODERS = [
  { encoder: "node-av", ffmpegPath: undefined },
  ...(program === undefined ? [] : [{ encoder: "an ffmpeg program", ffmpegPath: program }]),
];

/** Changes of sign per second of the sound between two times: twice its pitch. */
function signChanges(samples: Float32Array, fromSeconds: number, seconds: number): number {
  const from = Math.round(fromSeconds * 48_000);
  let changes = 0;
  for (let i = from + 1; i < from + seconds * 48_000; i++) {
    if ((samples[i - 1] ?? 0) < 0 !== (samples[i] ?? 0) < 0) changes++;
  }
  return changes / seconds;
}

describe.skipIf(!hasEncoder).each(ENCODERS)("sound at another rate by $encoder", ({ ffmpegPath }) => {
  test.each([
    ["real", 0.5],
    ["real", 1.5],
    ["plain", 2],
  ] as const)("%s at %d: each beep at its second of the media, at its own pitch", async (name, tempo) => {
    await using t = testMedia({ files: CLIPS, ffmpegPath });
    await using source = await t.media.open(name);
    const plain = decodeOpus(await allSegments(await source.rendition("a0")));
    const segments = await allSegments(await source.rendition("a0", { tempo }));
    const times = timesOf(segments);
    for (const [i, time] of times.entries()) expect(time).toBeCloseTo(i * 0.02 * tempo, 4);
    expect(times.at(-1)).toBeGreaterThan(source.info.durationSeconds - 0.2);
    const heard = decodeOpus(segments);
    const beeps = onsets(heard);
    expect(beeps.length).toBe(onsets(plain).length);
    for (const [i, beep] of beeps.entries()) expect(Math.abs(beep * tempo - i)).toBeLessThan(0.05);
    // Within the beep at 3 s, away from its ends.
    const pitch = signChanges(plain, 3.02, 0.04);
    expect(signChanges(heard, 3.02 / tempo + 0.005, 0.02)).toBeGreaterThan(pitch * 0.85);
    expect(signChanges(heard, 3.02 / tempo + 0.005, 0.02)).toBeLessThan(pitch * 1.15);
  });

  test("from the middle it is that of its place, and the tempo filter starts anew after a seek", async () => {
    await using t = testMedia({ files: CLIPS, ffmpegPath });
    await using source = await t.media.open("real");
    const rendition = await source.rendition("a0", { tempo: 1.25 });
    const part = await allSegments(rendition, 17.5);
    const from = part[0]?.startSeconds ?? Number.NaN;
    expect(from).toBeGreaterThanOrEqual(17);
    expect(from).toBeLessThan(17.03);
    const beeps = onsets(decodeOpus(part)).map(beep => from + beep * 1.25);
    expect(beeps).toHaveLength(7);
    for (const [i, beep] of beeps.slice(1).entries()) expect(Math.abs(beep - (18 + i))).toBeLessThan(0.05);
  });
});
