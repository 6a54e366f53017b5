import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { accessibilityFindings } from "./accessibility.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { type MockNode, startMockNode } from "./mock/mock-node.ts";
import { type PlayerHandle, playerOf } from "./player-handle.ts";

describe("the play page, visited again", () => {
  let browser: Browser;
  let node: MockNode;
  let page: Page;
  let log: PageLog;
  let player: PlayerHandle;
  beforeAll(async () => {
    browser = await launchChromium({ args: ["--disable-features=WebRtcHideLocalIpsWithMdns"] });
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    node = await startMockNode(browser);
    const permissions = ["clipboard-read", "clipboard-write"];
    ({ page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 }, permissions }));
    player = playerOf(page);
  });
  afterEach(async () => {
    await page.close();
    await node[Symbol.asyncDispose]();
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const open = async (query = ""): Promise<void> => {
    await page.goto(`${node.url}/play/bafyvideo${query}`);
    await player.reaches("playing");
  };
  const lastStart = (): number | undefined => node.offers.at(-1)?.startSeconds;

  it("goes on where it was left, by a reload or a pause, unless the address says where", async () => {
    await open();
    expect(lastStart()).toBe(0);
    await player.run("player.seek(9)");
    await player.passes(10);
    await page.reload();
    await player.reaches("playing");
    expect(lastStart()).toBeGreaterThanOrEqual(9);
    expect(lastStart()).toBeLessThan(13);
    await player.run("player.seek(6)");
    await page.keyboard.press("k");
    await player.reaches("paused");
    await open();
    expect(lastStart()).toBeGreaterThanOrEqual(6);
    expect(lastStart()).toBeLessThan(9);
    await open("?t=2");
    expect(lastStart()).toBe(2);
  });

  it("begins anew after the end", async () => {
    await open("?t=8");
    await player.passes(9.5);
    await player.run("player.seek(19.5)");
    await player.reaches("ended");
    await open();
    expect(lastStart()).toBe(0);
  });

  it("copies a link, and one to the current time", async () => {
    await open("?t=7");
    await page.keyboard.press("k");
    await player.reaches("paused");
    const at = Math.floor(await player.currentTime());
    await page.getByRole("button", { name: "Copy link at this time" }).click();
    const copied = (): Promise<string> => page.evaluate("navigator.clipboard.readText()");
    await expect.poll(copied).toBe(`${node.url}/play/bafyvideo?t=${at}`);
    await page.getByRole("button", { name: "Copy link to this page", exact: true }).click();
    await expect.poll(copied).toBe(`${node.url}/play/bafyvideo`);
    expect(await accessibilityFindings(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
    await screenshot(page, "player-share-phone");
  });
});
