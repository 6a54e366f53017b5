import { createReadStream, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { MediaInfo, VideoTrackInfo } from "../../src/media/index.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { type PlayerHandle, playerOf, withoutFileFallback } from "./player-handle.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

const FOLDER = process.env["CIDCAST_TEST_MEDIA"] ?? "";
const MEDIA = /\.(?:mp4|m4a|mov|mkv|webm|ts|mp3|ogg|wav|flac)$/;
const FILES = FOLDER === "" ? [] : readdirSync(FOLDER).filter(name => MEDIA.test(name));

/** How much of each file is watched, seconds. */
const WATCHED_SECONDS = 2;

describe.skipIf(FILES.length === 0)(
  "files of users (skipped where CIDCAST_TEST_MEDIA names no folder)",
  () => {
    let browser: Browser;
    let real: RealNode;
    let page: Page;
    let log: PageLog;
    let player: PlayerHandle;

    beforeAll(async () => {
      [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
    });
    afterAll(async () => {
      await browser?.close();
      await real?.[Symbol.asyncDispose]();
    });
    beforeEach(async () => {
      ({ page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } }));
      await withoutFileFallback(page);
      player = playerOf(page);
    });
    afterEach(() => page.close());

    it.each(FILES)("%s: picture and sound advance in their shape, to the end", async name => {
      const { cid } = await real.node.content.add(createReadStream(join(FOLDER, name)), { name });
      const info = await real.node.media.probe(cid);
      expect(info.playable).toBe(true);
      const video = info.tracks.find(track => track.kind === "video");
      const expected = await framesAtStart(real, cid, info);
      await page.goto(`${real.url}/play/${cid}`);
      await player.reaches("playing");
      const sound = info.tracks.some(track => track.kind === "audio");
      await player.advances({ frames: video === undefined ? 0 : 1, samples: sound ? 24_000 : 0 });
      await player.passes(Math.min(WATCHED_SECONDS, info.durationSeconds * 0.8));
      const watched = await player.stats();
      // On a slow machine some pictures and some sound may be lost, not most of them.
      expect(watched.framesDecoded).toBeGreaterThanOrEqual(Math.floor(expected / 3));
      expect({ width: watched.width, height: watched.height }).toEqual(shownSize(video));
      expect(watched.audioSamplesConcealed).toBeLessThanOrEqual(watched.audioSamples / 2);
      if (info.durationSeconds > 2 * WATCHED_SECONDS) await player.run("player.seek(player.duration - 1)");
      await player.reaches("ended");
      expect(log.errors).toEqual([]);
      expect(log.console.filter(line => line.startsWith("error"))).toEqual([]);
    });

    it("shows pixels twice as wide as high that way", async context => {
      if (!FILES.includes("sar_2x1.mp4")) context.skip("there is no sar_2x1.mp4");
      const stream = createReadStream(join(FOLDER, "sar_2x1.mp4"));
      const { cid } = await real.node.content.add(stream, { name: "sar_2x1.mp4" });
      await page.goto(`${real.url}/play/${cid}`);
      await player.reaches("playing");
      await player.advances({ frames: 2, samples: 0 });
      const { width, height } = await player.stats();
      expect({ width, height }).toEqual({ width: 1280, height: 360 });
    });
  },
);

/** Pictures that a viewer gets of the part that is watched; 0 where there is sound alone. */
async function framesAtStart(real: RealNode, cid: string, info: MediaInfo): Promise<number> {
  await using source = await real.node.media.open(cid);
  const id = source.defaultTrackIds.find(track => track.startsWith("v"));
  if (id === undefined) return 0;
  const rendition = await source.rendition(id);
  const until = Math.min(WATCHED_SECONDS, info.durationSeconds * 0.8);
  let frames = 0;
  let segment = await rendition.segmentAt(0);
  while (segment !== undefined && segment.startSeconds < until) {
    frames += segment.ptsSeconds.filter(pts => pts < until).length;
    segment = await rendition.segmentAfter(segment);
  }
  return frames;
}

/** The file's size as displayed, at most 720p where it is encoded anew; none where there is sound alone. */
function shownSize(video: VideoTrackInfo | undefined): { readonly width: number; readonly height: number } {
  if (video === undefined) return { width: 0, height: 0 };
  const { width, height, verdict } = video;
  if (verdict.mode === "passthrough") return { width, height };
  const scale = Math.min(1, 1280 / Math.max(width, height), 720 / Math.min(width, height));
  const even = (pixels: number): number => Math.floor(Math.round(pixels * scale) / 2) * 2;
  return { width: even(width), height: even(height) };
}
