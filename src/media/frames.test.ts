import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { isCidcastError } from "../core/index.ts";
import { FRAME_MAX_AT_ONCE, FRAME_MAX_WAITING } from "./limits.ts";
import { makeClip } from "./testing/clips.ts";
import { testMedia } from "./testing/harness.ts";
import { sample } from "./testing/memory-content.ts";
import { findEncoder } from "./transcode/encoder.ts";

const hasEncoder = findEncoder({}).kind === "node-av";

/** Width and height of a PNG, from its header. */
function pngSize(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe.skipIf(!hasEncoder)("single pictures", () => {
  test("are those shown at a time, also between keyframes and with B-frames", async () => {
    const clip = await makeClip({
      container: "mp4",
      video: { encoder: "libx264", frames: 90, gop: 60, bFrames: 2 },
    });
    await using t = testMedia({ files: { clip } });
    const frame = await t.media.frame("clip", { timeSeconds: 1.51, format: "png" });
    expect(frame).toMatchObject({ contentType: "image/png", width: 320, height: 180 });
    expect(frame.timeSeconds).toBeCloseTo(45 / 30, 3);
    expect(pngSize(frame.bytes)).toEqual([320, 180]);
    const small = await t.media.frame("clip", { timeSeconds: 99, maxWidth: 100 });
    expect(small).toMatchObject({ contentType: "image/jpeg", width: 100, height: 56 });
    expect(small.timeSeconds).toBeCloseTo(89 / 30, 3);
    expect([...small.bytes.subarray(0, 2)]).toEqual([0xff, 0xd8]);
    expect(t.content.openFiles()).toBe(0);
  });

  test.each(["mp4", "matroska", "avi", "mpegts"] as const)(
    "of %s say where their bytes lie, and stay the same where what lies before is damaged",
    async container => {
      const clip = await makeClip({
        container,
        video: { encoder: "libx264", frames: 90, gop: 30, bFrames: container === "mp4" ? 2 : 0 },
        audio: [{ encoder: "aac", seconds: 3 }],
      });
      await using t = testMedia({ files: { clip } });
      const frame = await t.media.frame("clip", { timeSeconds: 1.6, format: "png", locate: true });
      const { place } = frame;
      if (place === undefined) throw new Error("It does not say where the picture lies");
      expect(frame).toMatchObject({ cid: "clip", trackId: "v0" });
      expect(place.sha256).toBe(sha256(clip.subarray(place.from, place.to)));
      // One GOP of three, not the whole file.
      expect(place.to - place.from).toBeLessThan(clip.length / 2);
      const damaged = Uint8Array.from(clip);
      const kept = clip.slice(place.from, place.to);
      const other = await t.media.frame("clip", { timeSeconds: 0.5, locate: true, format: "png" });
      if (other.place === undefined) throw new Error("It does not say where the other lies");
      expect(other.place.to).toBeLessThanOrEqual(place.from);
      damaged.fill(0x5a, other.place.from + 4096, other.place.to);
      damaged.set(kept, place.from);
      await using u = testMedia({ files: { damaged } });
      const again = await u.media.frame("damaged", { timeSeconds: 1.6, format: "png" });
      expect(sha256(again.bytes)).toBe(sha256(frame.bytes));
      expect((await t.media.frame("clip", { timeSeconds: 1 })).place).toBeUndefined();
    },
  );

  test("say why there is none", async () => {
    const sound = await makeClip({ container: "ogg", audio: [{ encoder: "libopus", seconds: 1 }] });
    await using t = testMedia({ files: { sound, film: sample("sample-720p.mp4") } });
    await expect(t.media.frame("sound")).rejects.toMatchObject({ code: "TRACK_NOT_FOUND" });
    await expect(t.media.frame("film", { trackId: "v7" })).rejects.toMatchObject({ code: "TRACK_NOT_FOUND" });
    await using without = testMedia({ transcode: false, files: { film: sample("sample-720p.mp4") } });
    await expect(without.media.frame("film")).rejects.toMatchObject({ code: "ENCODER_MISSING" });
  });

  test("wait for each other, and not without end", async () => {
    await using t = testMedia({ files: { film: sample("sample-720p.mp4") } });
    const most = FRAME_MAX_AT_ONCE + FRAME_MAX_WAITING;
    const abort = new AbortController();
    const { signal } = abort;
    const asked = Array.from({ length: most + 8 }, () => t.media.frame("film", { maxWidth: 16, signal }));
    const refused = Promise.withResolvers<void>();
    let busy = 0;
    for (const each of asked) {
      each.catch((error: unknown) => {
        if (isCidcastError(error, "BUSY") && ++busy === 8) refused.resolve();
      });
    }
    await refused.promise;
    abort.abort();
    const ends = await Promise.allSettled(asked);
    expect(busy).toBe(8);
    expect(ends).toHaveLength(most + 8);
  });
});
