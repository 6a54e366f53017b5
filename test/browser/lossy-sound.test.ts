import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, openPage } from "./chromium.ts";
import { playerOf, withoutFileFallback } from "./player-handle.ts";
import { startRealNode } from "./real-node.ts";
import { throughShaper, UdpShaper } from "./udp-shaper.ts";

/** Of the sound that has come in: packets that were lost, what was brought along and not needed, and samples that were made up. */
const SOUND = `(async () => {
  for (const report of (await connections.at(-1).getStats()).values())
    if (report.type === "inbound-rtp" && report.kind === "audio")
      return { lost: report.packetsLost, carried: report.packetsDiscarded, concealed: report.concealedSamples };
})()`;

interface Sound {
  readonly lost: number;
  readonly carried: number;
  readonly concealed: number;
}

describe("sound over a path that loses packets, in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  it("is sent so that each packet brings the one before along, while packets are lost", async () => {
    await using real = await startRealNode();
    let shaper: UdpShaper | undefined;
    const { page, log } = await openPage(browser);
    await withoutFileFallback(page);
    await throughShaper(page, async port => {
      shaper ??= await UdpShaper.listen(port);
      return shaper.port;
    });
    const player = playerOf(page);
    const sound = (): Promise<Sound> => page.evaluate<Sound>(SOUND);
    await page.goto(`${real.url}/play/${real.passthroughCid}`);
    await player.reaches("playing");
    await player.run("player.loop = true");
    await player.advances({ frames: 30, samples: 48_000 });
    expect((await sound()).carried).toBe(0);

    shaper!.loseOneIn = 15;
    await expect.poll(async () => (await sound()).carried, { timeout: 30_000 }).toBeGreaterThan(50);
    const before = await sound();
    await player.advances({ frames: 150, samples: 240_000 });
    const after = await sound();
    expect(after.lost).toBeGreaterThan(before.lost);
    // A packet of sound has 960 samples: most that were lost came along with the next.
    expect(after.concealed - before.concealed).toBeLessThan((after.lost - before.lost) * 480);

    shaper!.loseOneIn = 0;
    await expect
      .poll(
        async () => {
          const { carried } = await sound();
          await page.waitForTimeout(1000);
          return (await sound()).carried - carried;
        },
        { timeout: 60_000 },
      )
      .toBe(0);
    await page.close();
    await shaper!.close();
    expect(log.errors).toEqual([]);
  });
});
