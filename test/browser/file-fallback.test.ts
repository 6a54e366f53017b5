import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FALLBACK_AFTER_MS, FILE_PROBE_MS } from "../../packages/player/src/playback/limits.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { type MockNode, startMockNode } from "./mock/mock-node.ts";
import { type PlayerHandle, playerOf } from "./player-handle.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

const SAMPLE = fileURLToPath(new URL("../../samples/sample-720p.mp4", import.meta.url));
/** A token with characters that addresses escape. */
const TOKEN = "a+token-that/needs=escaping&care";

describe("<cid-player> without WebRTC", () => {
  let browser: Browser;
  let real: RealNode;
  let node: MockNode;
  let page: Page;
  let log: PageLog;
  let player: PlayerHandle;
  beforeAll(async () => {
    [browser, real] = await Promise.all([
      launchChromium({ args: ["--disable-features=WebRtcHideLocalIpsWithMdns"] }),
      startRealNode({ token: TOKEN, webrtc: { enabled: false } }),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    node = await startMockNode(browser);
    node.records.push({ cid: "bafydeaf", name: "x.mp4", size: 1, contentType: "video/mp4", addedAtMs: 0 });
    ({ page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } }));
    player = playerOf(page);
  });
  afterEach(async () => {
    await page.close();
    await node[Symbol.asyncDispose]();
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const openReal = async (query = ""): Promise<void> => {
    await page.goto(`${real.url}/play/${real.passthroughCid}?token=${encodeURIComponent(TOKEN)}${query}`);
  };

  it("plays the file itself where the node has it switched off, says so, and obeys all controls", async () => {
    await openReal();
    await player.reaches("playing");
    await player.passes(0.5);
    expect(await player.duration()).toBeGreaterThan(15);
    await page.keyboard.press("s");
    await page.getByText("HTTP, the file itself: WebRTC did not come up").waitFor();
    await screenshot(page, "player-file");
    const stats = await player.stats();
    expect(stats).toMatchObject({ delivery: "http", height: 720 });
    expect(stats.framesDecoded).toBeGreaterThan(0);

    await page.keyboard.press("k");
    await player.reaches("paused");
    expect(await player.run("player.paused")).toBe(true);
    await page.keyboard.press("5");
    expect(await player.currentTime()).toBeCloseTo((await player.duration()) / 2, 0);
    await page.keyboard.press("k");
    await player.reaches("playing");
    await page.keyboard.press("m");
    expect(await player.run("player.muted")).toBe(true);
    await page.keyboard.press("r");
    expect(await player.run("player.shadowRoot.querySelector('video').loop")).toBe(true);
    await page.keyboard.press("r");
    await player.run("player.seek(player.duration - 0.5)");
    await player.reaches("ended");
    await page.getByRole("button", { name: "Play again", exact: true }).click();
    await player.reaches("playing");
    expect(await player.currentTime()).toBeLessThan(10);
    expect(log.foreignRequests).toEqual([]);
  });

  it("starts the file where it was to start, and lets go of it when it is taken out", async () => {
    await openReal("&t=9");
    await player.reaches("playing");
    await player.passes(9);
    await page.evaluate(
      "globalThis.player = document.querySelector('cid-player'); globalThis.player.remove()",
    );
    const src = "globalThis.player.shadowRoot.querySelector('video').hasAttribute('src')";
    expect(await page.evaluate(src)).toBe(false);
    expect(await page.evaluate("globalThis.player.state")).toBe("idle");
  });

  it("shows the error where the browser cannot play the file either", async () => {
    node.offerError = { code: "FEATURE_DISABLED", message: "WebRTC is not available on this node" };
    await page.goto(`${node.url}/play/bafydeaf`);
    await player.reaches("error");
    expect(await page.locator("cid-player .error code").innerText()).toBe("FEATURE_DISABLED");
  });

  it("plays the file when no connection comes up in time, and gives the session back", async () => {
    node.files.set("bafydeaf", SAMPLE);
    await page.clock.install();
    await page.goto(`${node.url}/play/bafydeaf`);
    await player.reaches("connecting");
    await expect.poll(() => node.answers).toBe(1);
    expect(await player.stats()).toMatchObject({ delivery: "webrtc" });
    await page.clock.fastForward(FALLBACK_AFTER_MS);
    await page.clock.resume();
    await player.reaches("playing");
    expect(await player.stats()).toMatchObject({ delivery: "http" });
    expect(node.offers).toHaveLength(1);
  });

  it("stays with WebRTC when the file does not come either in the time that it has", async () => {
    await page.route("**/ipfs/**", () => undefined);
    await page.clock.install();
    await page.goto(`${node.url}/play/bafydeaf`);
    await player.reaches("connecting");
    await expect.poll(() => node.answers).toBe(1);
    const asked = page.waitForRequest("**/ipfs/**");
    await page.clock.fastForward(FALLBACK_AFTER_MS);
    await asked;
    const givenUp = page.waitForEvent("requestfailed");
    await page.clock.fastForward(FILE_PROBE_MS);
    expect((await givenUp).url()).toBe(`${node.url}/ipfs/bafydeaf`);
    expect(await player.stats()).toMatchObject({ delivery: "webrtc" });
    expect(await player.state()).toBe("connecting");
  });
});
