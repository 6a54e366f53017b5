import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium, openPage } from "../../browser/chromium.ts";
import { runInPage } from "../../browser/in-page.ts";
import { type RealNode, startRealNode } from "../../browser/real-node.ts";

/** Furthest that two of the tracks may be from each other, milliseconds: the bound of ITU-R BT.1359 for early sound. */
const MAX_OFFSET_MS = 45;
/** Looks at the statistics, and the time between two of them, milliseconds. */
const LOOKS = 24;
const LOOK_MS = 250;

describe("two videos and two sounds as Chromium measures them", () => {
  let browser: Browser;
  let real: RealNode;
  beforeAll(async () => {
    [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });

  // What the machine does besides is no offset of ours: one of three tries has to hold.
  test("are played at the same time, though of two CIDs", { retry: 2 }, async () => {
    const { page } = await openPage(browser);
    await page.goto(`${real.url}/healthz`);
    await runInPage(page, "tracks.ts");
    const { looks: places, kinds } = await page.evaluate<{
      looks: number[][];
      kinds: string[];
    }>(`(async () => {
      const viewer = await viewTracks(${JSON.stringify(real.url)});
      await viewer.open(${JSON.stringify(real.passthroughCid)});
      for (const kind of ["video", "audio"]) await viewer.add({ cid: ${JSON.stringify(real.transcodedCid)}, kind });
      // The browser itself brings sound and picture together, in steps of about a second.
      await viewer.until(tracks => tracks.filter(t => t.framesDecoded > 150).length === 2);
      const looks = [];
      let kinds = [];
      for (let look = 0; look < ${LOOKS}; look++) {
        await new Promise(resolve => setTimeout(resolve, ${LOOK_MS}));
        const tracks = await viewer.arriving();
        looks.push(tracks.map(track => track.estimatedPlayoutTimestamp));
        kinds = tracks.map(track => track.kind);
      }
      return { looks, kinds };
    })()`);
    const spans = places
      .filter(look => look.length === 4 && look.every(Number.isFinite))
      .map(look => Math.max(...look) - Math.min(...look))
      .toSorted((a, b) => a - b);
    const middle = (list: readonly number[]): number =>
      list.toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
    const behind = kinds.map((kind, i) => {
      const by = middle(
        places.map(look => Math.max(...look) - (look[i] ?? Number.NaN)).filter(Number.isFinite),
      );
      return `${kind} ${by.toFixed(0)}`;
    });
    const median = spans[Math.floor(spans.length / 2)] ?? Number.NaN;
    console.log(
      `four tracks: ${median.toFixed(1)} ms apart in the median of ${spans.length} looks; behind the first by ms: ${behind.join(", ")}`,
    );
    expect(spans.length).toBeGreaterThan(LOOKS / 2);
    expect(median).toBeLessThanOrEqual(MAX_OFFSET_MS);
  });
});
