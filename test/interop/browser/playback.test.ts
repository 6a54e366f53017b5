import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium, openPage } from "../../browser/chromium.ts";
import { playerOf, withoutFileFallback } from "../../browser/player-handle.ts";
import { type RealNode, startRealNode } from "../../browser/real-node.ts";

/** How long a clip is watched, milliseconds. */
const WATCH_MS = 5000;
/** Place in the clip by which the browser has settled, seconds. */
const SETTLED_SECONDS = 4;
/** Between two looks at the statistics, milliseconds. */
const LOOK_MS = 250;
/** Furthest that sound may be from the picture, milliseconds: the bound of ITU-R BT.1359 for sound that is early. */
const MAX_AV_OFFSET_MS = 45;

interface Look {
  readonly framesDecoded: number;
  readonly freezes: number;
  readonly packetsLost: number;
  /** Capture time of what is played now, milliseconds since 1900. */
  readonly videoMs: number | undefined;
  readonly audioMs: number | undefined;
}

/** Looks at the page's only peer connection, as the browser itself measures it. */
async function look(page: Page): Promise<Look> {
  return page.evaluate<Look>(`(async () => {
    const found = {};
    for (const report of (await globalThis.peerConnections.at(-1).getStats()).values()) {
      if (report.type === "inbound-rtp") found[report.kind] = report;
    }
    const { video = {}, audio = {} } = found;
    return {
      framesDecoded: video.framesDecoded,
      freezes: video.freezeCount,
      packetsLost: video.packetsLost + audio.packetsLost,
      videoMs: video.estimatedPlayoutTimestamp,
      audioMs: audio.estimatedPlayoutTimestamp,
    };
  })()`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

describe("playback as Chromium measures it", () => {
  let browser: Browser;
  let real: RealNode;
  beforeAll(async () => {
    [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });

  test.each(["passed through", "transcoded"])(
    "a clip that is %s plays without a freeze and with sound in time",
    async kind => {
      const { page } = await openPage(browser, { viewport: { width: 1280, height: 800 } });
      await withoutFileFallback(page);
      await page.addInitScript(`{
      globalThis.peerConnections = [];
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...given) { super(...given); globalThis.peerConnections.push(this); }
      };
    }`);
      const cid = kind === "transcoded" ? real.transcodedCid : real.passthroughCid;
      await page.goto(`${real.url}/play/${cid}`);
      const player = playerOf(page);
      await player.reaches("playing");
      await player.advances({ frames: 30, samples: 48_000 });
      // The browser itself brings sound and picture together, in steps of about a second.
      await player.passes(SETTLED_SECONDS);
      const first = await look(page);
      const offsets: number[] = [];
      for (let elapsed = 0; elapsed < WATCH_MS; elapsed += LOOK_MS) {
        await page.waitForTimeout(LOOK_MS);
        const { videoMs, audioMs } = await look(page);
        if (videoMs !== undefined && audioMs !== undefined) offsets.push(audioMs - videoMs);
      }
      const last = await look(page);
      console.log(
        `${kind}: A/V offset median ${median(offsets).toFixed(1)} ms of ${offsets.length}, ${last.framesDecoded - first.framesDecoded} frames`,
      );
      expect(last.freezes - first.freezes).toBe(0);
      expect(last.packetsLost).toBe(0);
      expect(last.framesDecoded - first.framesDecoded).toBeGreaterThan((WATCH_MS / 1000) * 25);
      expect(offsets.length).toBeGreaterThan(5);
      expect(Math.abs(median(offsets))).toBeLessThanOrEqual(MAX_AV_OFFSET_MS);
      await page.close();
    },
  );
});
