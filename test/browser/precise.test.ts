import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { runInPage } from "./in-page.ts";
import { type PlayerHandle, playerOf, withoutFileFallback } from "./player-handle.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

/** Pictures per second of the samples. */
const FPS = 30;
/** A second of sound, as samples. */
const SECOND = 48_000;
/** How long a picture may take to be seen, ms. */
const SEEN = { timeout: 20_000 };

describe("precise control of a node", () => {
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
  afterEach(async () => {
    await page.close();
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const open = async (index: number, query = ""): Promise<void> => {
    await page.goto(`${real.url}/play/${[real.passthroughCid, real.transcodedCid][index]}${query}`);
    await player.reaches("playing");
    await runInPage(page, "strip.ts");
  };
  const shown = (): Promise<number> => page.evaluate<number>("shownFrame()");

  it.each([
    ["passed through", 0],
    ["transcoded", 1],
  ])("shows the very picture asked for, and steps on and back, in a file %s", async (_name, index) => {
    await open(index);
    await player.run("player.pause()");
    await player.reaches("paused");
    for (const seconds of [7.75, 2.5, 11.02, 3.999]) {
      await player.run(`player.seek(${seconds})`);
      await expect.poll(shown, SEEN).toBe(Math.floor(seconds * FPS + 1e-6));
      await expect.poll(() => player.currentTime(), SEEN).toBeCloseTo(seconds, 2);
    }
    const at = Math.floor(3.999 * FPS);
    for (const [key, frame] of [
      [".", at + 1],
      [".", at + 2],
      [",", at + 1],
      [",", at],
      [",", at - 1],
    ] as const) {
      await page.keyboard.press(key);
      await expect.poll(shown, SEEN).toBe(frame);
    }
    await player.run("player.play()");
    await player.reaches("playing");
    await player.advances({ frames: 15, samples: 12_000 });
  });

  it.each([
    ["passed through", 0],
    ["transcoded", 1],
  ])("shows none of the pictures on the way to the one asked for, in a file %s", async (_name, index) => {
    await open(index);
    await player.run("player.pause()");
    await player.reaches("paused");
    await runInPage(page, "uncovered.ts");
    await page.evaluate("watchPictures()");
    for (const seconds of [7.9, 3.95, 11.9]) {
      const target = Math.floor(seconds * FPS + 1e-6);
      const before = await shown();
      expect(await player.run(`(player.seek(${seconds}), isCovered())`)).toBe(true);
      await expect.poll(shown, SEEN).toBe(target);
      const bare = await page.evaluate<number[]>("bare()");
      expect(bare.filter(frame => frame !== before && frame !== target)).toEqual([]);
      await expect.poll(() => page.evaluate("isCovered()"), SEEN).toBe(false);
    }
  });

  it("plays at twice and half the rate with sound, and at four times without", async () => {
    await open(1);
    for (const rate of [2, 0.5]) {
      await player.run(`player.playbackRate = ${rate}`);
      await player.run("player.seek(1)");
      const before = await shown();
      await player.advances({ frames: 30, samples: SECOND });
      await expect.poll(shown, SEEN).not.toBe(before);
      await runInPage(page, "listen.ts");
      expect(await page.evaluate("listen(0.001)")).toBeGreaterThan(0.001);
      expect(await player.run("player.playbackRate")).toBe(rate);
    }
    const muted = player.run<{ soundMuted: boolean }>(`new Promise(resolve => {
      player.addEventListener("cid-rate", ({ detail }) => { if (detail.soundMuted) resolve(detail); });
      player.playbackRate = 4;
    })`);
    expect(await muted).toMatchObject({ playbackRate: 4, soundMuted: true });
    await player.run("player.playbackRate = 1");
    await player.advances({ frames: 15, samples: 24_000 });
  });

  it.each([
    ["passed through", 0],
    ["transcoded", 1],
  ])("repeats a part to the picture, and shows no other, in a file %s", async (_name, index) => {
    await open(index);
    await player.run("player.loopRange = { startSeconds: 4.5, endSeconds: 5.5 }");
    await player.run("player.seek(4.5)");
    const [first, last] = [4.5 * FPS, 5.5 * FPS];
    await expect.poll(shown, SEEN).toBeGreaterThanOrEqual(first);
    await runInPage(page, "uncovered.ts");
    await page.evaluate("watchPictures()");
    const seen: number[] = [];
    const turns = (): number => seen.filter((frame, i) => frame < (seen[i - 1] ?? 0)).length;
    while (turns() < 3) seen.push(await shown());
    const bare = await page.evaluate<number[]>("bare()");
    expect(bare.length).toBeGreaterThan(20);
    expect(bare.filter(frame => frame < first || frame > last + 3)).toEqual([]);
  });
});
