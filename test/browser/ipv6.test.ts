import { networkInterfaces } from "node:os";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, openPage } from "./chromium.ts";
import { playerOf, withoutFileFallback } from "./player-handle.ts";
import { startRealNode } from "./real-node.ts";

const hasIPv6 = Object.values(networkInterfaces()).some(all => all?.some(({ address }) => address === "::1"));

describe("a node on an IPv6 address", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  it.for(["js", "batched"] as const)("plays and seeks, egress %s", async (egress, ctx) => {
    ctx.skip(!hasIPv6, "this machine has no ::1");
    await using real = await startRealNode({ host: "::1", webrtc: { egress } });
    expect(real.url).toContain("[::1]");
    const { page, log } = await openPage(browser);
    await withoutFileFallback(page);
    const player = playerOf(page);
    await page.goto(`${real.url}/play/${real.passthroughCid}`);
    await player.reaches("playing");
    await player.advances({ frames: 60, samples: 96_000 });
    await player.run("player.seek(15)");
    await player.passes(16);
    await page.close();
    await expect.poll(() => real.sessions(), { timeout: 20_000 }).toBe(0);
    expect(log.errors).toEqual([]);
  });
});
