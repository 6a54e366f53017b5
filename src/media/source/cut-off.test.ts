import { afterAll, describe, expect, test } from "vitest";
import { makeClip } from "../testing/clips.ts";
import { allSegments, testMedia, timesOf } from "../testing/harness.ts";
import { findEncoder } from "../transcode/encoder.ts";

const hasEncoder = findEncoder({}).kind === "node-av";

const PLAIN = { encoder: "libx264", options: { preset: "ultrafast" }, frames: 30 } as const;

describe.skipIf(!hasEncoder)("files that are cut off", () => {
  const t = testMedia({ files: {} });
  let count = 0;
  afterAll(() => t.media.stop());
  const opened = (clip: Uint8Array) => {
    const name = `clip ${++count}`;
    t.content.set(name, clip);
    return t.media.open(name);
  };

  test.each(["mp4", "webm", "mpegts"] as const)("a cut off %s plays as far as it goes", async container => {
    const video =
      container === "webm"
        ? { encoder: "libvpx", options: { deadline: "realtime", "cpu-used": "8" }, frames: 90 }
        : { ...PLAIN, frames: 90 };
    const muxer: Record<string, string> = container === "mp4" ? { movflags: "+faststart" } : {};
    const whole = await makeClip({ container, muxer, video });
    const clip = whole.subarray(0, Math.floor(whole.length * 0.7));
    await using source = await opened(clip);
    const segments = await allSegments(await source.rendition("v0"));
    const times = timesOf(segments);
    expect(times.length).toBeGreaterThan(15);
    expect(times.length).toBeLessThan(90);
    expect(segments.at(-1)?.last).toBe(true);
  });

  test.each([
    ["passed through", PLAIN],
    ["transcoded", { ...PLAIN, bFrames: 2 }],
  ] as const)("one that is cut off ends where its pictures end, %s", async (_, video) => {
    const init = { container: "mp4", muxer: { movflags: "+faststart" } } as const;
    const whole = await makeClip({
      ...init,
      video: { ...video, frames: 120 },
      audio: [{ encoder: "aac", seconds: 4 }],
    });
    await using source = await opened(whole.subarray(0, Math.floor(whole.length * 0.5)));
    expect(source.info.durationSeconds).toBeCloseTo(4, 1);
    const segments = await allSegments(await source.rendition("v0"));
    const end = segments.at(-1)?.endSeconds ?? Number.NaN;
    expect(end).toBeGreaterThan(1);
    expect(end).toBeLessThan(3);
    expect(end - (timesOf(segments).at(-1) ?? Number.NaN)).toBeLessThan(0.15);
    const heard = await allSegments(await source.rendition("a0"));
    expect(heard.at(-1)?.endSeconds).toBeLessThan(3);
  });

  test("one that is cut off before its index says so", async () => {
    const whole = await makeClip({ container: "mp4", video: PLAIN });
    const clip = whole.subarray(0, Math.floor(whole.length * 0.5));
    await expect(opened(clip)).rejects.toMatchObject({
      code: "CORRUPT_MEDIA",
      message: expect.stringContaining("cut off"),
    });
  });
});
