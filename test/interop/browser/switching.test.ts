import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium, openPage } from "../../browser/chromium.ts";
import { playerOf, withoutFileFallback } from "../../browser/player-handle.ts";
import { type RealNode, startRealNode } from "../../browser/real-node.ts";

/** Longest that a picture may stand still while another rendition takes over, beyond its own time, milliseconds. */
const MAX_FREEZE_MS = 100;
/** The smallest rendition has 15 pictures a second. */
const PICTURE_MS = 1000 / 15;

describe("another rendition, chosen by hand", () => {
  let browser: Browser;
  let real: RealNode;
  let root: string;
  beforeAll(async () => {
    [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
    const job = await real.node.prepare.submit(real.passthroughCid, { presets: ["very_low", "low"] });
    root = (await real.node.prepare.ended(job.id)).result?.root ?? "";
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });

  // What the machine does besides is no freeze of ours: one of three tries has to hold.
  test("takes over without a freeze and without a request for a keyframe", { retry: 2 }, async () => {
    const { page } = await openPage(browser);
    await withoutFileFallback(page);
    await page.addInitScript(`{
      globalThis.connections = [];
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...given) { super(...given); globalThis.connections.push(this); }
      };
    }`);
    await page.goto(`${real.url}/play/${root}`);
    const player = playerOf(page);
    await player.reaches("playing");
    await player.advances({ frames: 60, samples: 48_000 });
    const requested = (): Promise<number> =>
      page.evaluate<number>(`(async () => {
        let count = 0;
        for (const connection of connections)
          for (const report of (await connection.getStats()).values())
            if (report.type === "inbound-rtp" && report.kind === "video") count += report.pliCount + (report.firCount ?? 0);
        return count;
      })()`);
    await page.evaluate(`{
      const find = root => root.querySelector("video") ??
        [...root.querySelectorAll("*")].map(e => e.shadowRoot && find(e.shadowRoot)).find(Boolean);
      const video = find(document);
      globalThis.shown = [];
      const look = (_now, picture) => {
        shown.push({ at: picture.presentationTime, height: picture.height });
        video.requestVideoFrameCallback(look);
      };
      video.requestVideoFrameCallback(look);
    }`);
    const before = await requested();
    const [session] = real.node.webrtc?.sessions() ?? [];
    for (const [level, height] of [
      ["very_low", 180],
      ["low", 360],
      ["very_low", 180],
      ["low", 360],
    ] as const) {
      expect(await session?.setQuality(level)).toEqual({ success: true });
      await page.evaluate(`new Promise(resolve => {
        const look = () => (shown.at(-1)?.height === ${height} ? resolve() : requestAnimationFrame(look));
        look();
      })`);
    }
    const shown = await page.evaluate<{ at: number; height: number }[]>("shown");
    const gaps = shown.slice(1).map(({ at }, i) => at - (shown[i]?.at ?? at));
    const switches = shown.slice(1).filter(({ height }, i) => height !== shown[i]?.height).length;
    console.log(`${switches} switches, longest picture ${Math.max(...gaps).toFixed(0)} ms`);
    expect(switches).toBe(4);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(PICTURE_MS + MAX_FREEZE_MS);
    expect(await requested()).toBe(before);
  });
});
