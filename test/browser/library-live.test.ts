import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { UNDO_MS } from "../../web/src/library/limits.ts";
import { accessibilityFindings } from "./accessibility.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

/** How long news may take on a busy machine, ms. */
const SOON = { timeout: 20_000 };

describe("the library of a node", () => {
  let browser: Browser;
  let real: RealNode;
  let page: Page;
  let log: PageLog;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    real = await startRealNode();
    ({ page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } }));
  });
  afterEach(async () => {
    await page.close();
    await real[Symbol.asyncDispose]();
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const rows = (): Promise<number> => page.locator(".record").count();
  const held = async (): Promise<number> => (await real.node.content.list()).total;
  const removeSample = async (): Promise<void> => {
    await page.getByRole("button", { name: "Remove sample-720p.mp4", exact: true }).click();
    await expect.poll(rows, SOON).toBe(1);
  };

  it("shows what is added and removed elsewhere as it happens", async () => {
    await page.goto(real.url);
    await expect.poll(rows, SOON).toBe(2);
    const words = async function* (): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode("words");
    };
    const { cid } = await real.node.content.add(words(), { name: "words.txt" });
    await page.getByText("words.txt").waitFor();
    await real.node.content.remove(cid);
    await expect.poll(rows, SOON).toBe(2);
    expect(await page.getByText("words.txt").count()).toBe(0);
  });

  it("takes a removal back", async () => {
    await page.goto(real.url);
    await removeSample();
    await screenshot(page, "library-removed");
    expect(await accessibilityFindings(page)).toEqual([]);
    // The line has the focus: Enter takes it back.
    await page.keyboard.press("Enter");
    await expect.poll(rows, SOON).toBe(2);
    expect(await page.locator(".removal").count()).toBe(0);
    expect(await held()).toBe(2);
  });

  it("removes for good when nobody has taken it back", async () => {
    await page.clock.install();
    await page.goto(real.url);
    await expect.poll(rows, SOON).toBe(2);
    await removeSample();
    expect(await held()).toBe(2);
    await page.clock.fastForward(UNDO_MS);
    await expect.poll(held, SOON).toBe(1);
    await expect.poll(() => page.locator(".removal").count(), SOON).toBe(0);
  });

  it("removes what waits when the page goes", async () => {
    await page.goto(real.url);
    await removeSample();
    await page.goto("about:blank");
    await expect.poll(held, SOON).toBe(1);
  });

  it("says why something was not removed", async () => {
    await page.clock.install();
    await page.goto(real.url);
    await expect.poll(rows, SOON).toBe(2);
    await page.route("**/api/v0/content/*", route =>
      route.request().method() === "DELETE"
        ? route.fulfill({ status: 409, json: { error: { code: "CONFLICT", message: "it is playing" } } })
        : route.fallback(),
    );
    await removeSample();
    await page.clock.fastForward(UNDO_MS);
    await page.getByText("it is playing (CONFLICT)").waitFor();
    await expect.poll(rows, SOON).toBe(2);
  });
});
