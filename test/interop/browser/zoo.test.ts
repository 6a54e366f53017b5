import { createReadStream, readdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type ClipInit, makeClip } from "../../../src/media/testing/clips.ts";
import { launchChromium, openPage } from "../../browser/chromium.ts";
import { playerOf, withoutFileFallback } from "../../browser/player-handle.ts";
import { type RealNode, startRealNode } from "../../browser/real-node.ts";

/** Longest that one picture may stand while a file plays, milliseconds. */
const MAX_FREEZE_MS = 5000;
/** Furthest that sound may be from the picture, milliseconds: the bound of ITU-R BT.1359 for sound that is early. */
const MAX_AV_OFFSET_MS = 45;
/** Place by which the browser has brought sound and picture together, seconds; how long they are looked at then. */
const SETTLED_SECONDS = 4;
const LOOKED_SECONDS = 2;
const SECONDS = SETTLED_SECONDS + LOOKED_SECONDS + 1;

const FOLDER = process.env["CIDCAST_TEST_MEDIA"] ?? "";
const MEDIA = /\.(?:mp4|m4a|mov|mkv|webm|ts|mp3|ogg|wav|flac)$/;
const FILES = FOLDER === "" ? [] : readdirSync(FOLDER).filter(name => MEDIA.test(name));

const frames = SECONDS * 30;
const fast = { preset: "ultrafast" };
const sound = (encoder: string) => [{ encoder, seconds: SECONDS }];
const quick = { deadline: "realtime", "cpu-used": "8" };
/** Kinds that go different ways: two demuxers, each codec that is sent, several that are not. */
const CLIPS: Readonly<Record<string, ClipInit>> = {
  "H.264 with B-frames and AAC in MP4": {
    container: "mp4",
    video: { encoder: "libx264", options: fast, bFrames: 2, frames },
    audio: sound("aac"),
  },
  "H.264 and AAC in MPEG-TS": {
    container: "mpegts",
    video: { encoder: "libx264", options: fast, frames },
    audio: sound("aac"),
  },
  "H.265 and AC-3 in Matroska": {
    container: "matroska",
    video: { encoder: "libx265", options: { ...fast, "x265-params": "log-level=none" }, frames },
    audio: sound("ac3"),
  },
  "VP9 and Opus in WebM": {
    container: "webm",
    video: { encoder: "libvpx-vp9", options: quick, frames },
    audio: sound("libopus"),
  },
  "MPEG-4 and MP3 in AVI": {
    container: "avi",
    video: { encoder: "mpeg4", bFrames: 2, frames },
    audio: sound("libmp3lame"),
  },
};

/** In each page: its peer connections, and the longest time that one picture stood. */
const WATCH = `
globalThis.peerConnections = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); globalThis.peerConnections.push(this); }
};
globalThis.longestGapMs = 0;
globalThis.watchGaps = () => {
  const video = document.querySelector("cid-player").shadowRoot.querySelector("video");
  let last;
  const note = now => {
    longestGapMs = Math.max(longestGapMs, now - (last ?? now));
    last = now;
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
};
globalThis.avOffsetMs = async () => {
  const at = {};
  for (const report of (await peerConnections.at(-1).getStats()).values()) {
    if (report.type === "inbound-rtp") at[report.kind] = report.estimatedPlayoutTimestamp;
  }
  return at.audio - at.video;
};`;

let browser: Browser;
let real: RealNode;
beforeAll(async () => {
  [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
});
afterAll(async () => {
  await browser?.close();
  await real?.[Symbol.asyncDispose]();
});

let page: Page;
afterEach(() => page?.close());

async function open(cid: string): Promise<void> {
  ({ page } = await openPage(browser, { viewport: { width: 1280, height: 800 } }));
  await withoutFileFallback(page);
  await page.addInitScript(WATCH);
  await page.goto(`${real.url}/play/${cid}`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

describe("files of all kinds", () => {
  // What the machine does besides is no offset of ours: one of three tries has to hold.
  test.each(Object.entries(CLIPS))("%s: no freeze, and sound in time", { retry: 2 }, async (name, clip) => {
    const file = Readable.from([await makeClip(clip)]);
    const { cid } = await real.node.content.add(file, { name });
    await open(cid);
    const player = playerOf(page);
    await player.reaches("playing");
    await page.evaluate("watchGaps()");
    await player.passes(SETTLED_SECONDS);
    const offsets: number[] = [];
    while ((await player.currentTime()) < SETTLED_SECONDS + LOOKED_SECONDS) {
      const offset = await page.evaluate<number | null>("avOffsetMs()");
      if (offset !== null && Number.isFinite(offset)) offsets.push(offset);
      await page.waitForTimeout(100);
    }
    await player.reaches("ended");
    const gap = await page.evaluate<number>("longestGapMs");
    console.info(`${name}: A/V ${median(offsets).toFixed(1)} ms, longest picture ${gap.toFixed(0)} ms`);
    expect(gap).toBeLessThan(MAX_FREEZE_MS);
    expect(offsets.length).toBeGreaterThan(0);
    expect(Math.abs(median(offsets))).toBeLessThanOrEqual(MAX_AV_OFFSET_MS);
  });

  test.skipIf(FILES.length === 0).each(FILES)("%s: no freeze", async name => {
    const stream = createReadStream(join(FOLDER, name));
    const { cid } = await real.node.content.add(stream, { name });
    const { durationSeconds } = await real.node.media.probe(cid);
    await open(cid);
    const player = playerOf(page);
    await player.reaches("playing");
    await page.evaluate("watchGaps()");
    if (durationSeconds > SECONDS) {
      await player.passes(SECONDS - 1);
      await player.run("player.seek(player.duration - 1)");
    }
    await player.reaches("ended");
    expect(await page.evaluate<number>("longestGapMs")).toBeLessThan(MAX_FREEZE_MS);
  });
});
