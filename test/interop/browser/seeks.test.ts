import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium, openPage } from "../../browser/chromium.ts";
import { runInPage } from "../../browser/in-page.ts";
import { playerOf, withoutFileFallback } from "../../browser/player-handle.ts";
import { type RealNode, startRealNode } from "../../browser/real-node.ts";

/** Seeks in a row. */
const SEEKS = 100;
/** Longest that a picture of the new place may take, milliseconds. */
const MAX_STALL_MS = 1500;
/** Pictures per second of the sample. */
const FPS = 30;
/** Seed of the places: the same ones each time. */
const SEED = 20_261_125;

/** Places that look random, seconds, as many as there are seeks. */
function places(durationSeconds: number): number[] {
  let state = SEED;
  return Array.from({ length: SEEKS }, () => {
    // A linear congruential generator, as in Numerical Recipes.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 32) * durationSeconds;
  });
}

describe("seeks as Chromium shows them", () => {
  let browser: Browser;
  let real: RealNode;
  beforeAll(async () => {
    [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });

  test("a hundred in a row: each shows its place while it plays, none stalls", async () => {
    const { page } = await openPage(browser, { viewport: { width: 1280, height: 800 } });
    await withoutFileFallback(page);
    await page.goto(`${real.url}/play/${real.passthroughCid}`);
    const player = playerOf(page);
    await player.reaches("playing");
    await runInPage(page, "strip.ts");
    const stalls: number[] = [];
    for (const seconds of places((await player.duration()) - 3)) {
      const from = Math.floor(seconds * FPS + 1e-6);
      const stall = await player.run<number>(`new Promise(resolve => {
        const beginMs = performance.now();
        player.seek(${seconds});
        const look = () => {
          const elapsedMs = performance.now() - beginMs;
          const shown = shownFrame();
          // Playing goes on meanwhile: any picture from the place to where it can have got to.
          const last = ${from} + (elapsedMs / 1000) * ${FPS} + 2;
          if ((shown >= ${from} && shown <= last) || elapsedMs > ${2 * MAX_STALL_MS}) resolve(elapsedMs);
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      })`);
      stalls.push(stall);
    }
    await player.advances({ frames: 30, samples: 24_000 });
    const sorted = stalls.toSorted((a, b) => a - b);
    console.info(`seek: median ${sorted[SEEKS / 2]?.toFixed(0)} ms, longest ${sorted.at(-1)?.toFixed(0)} ms`);
    expect(stalls.filter(stall => stall > MAX_STALL_MS)).toEqual([]);
  }, 300_000);
});
