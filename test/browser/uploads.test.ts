import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { accessibilityFindings } from "./accessibility.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

const SIZE = 12 * 1024 * 1024;
/** As fast as the page may send while it is to be caught in the middle, bytes per second. */
const SLOW = 1024 * 1024;

describe("large uploads in the library", () => {
  let browser: Browser;
  let real: RealNode;
  let page: Page;
  let log: PageLog;
  let folder: string;
  beforeAll(async () => {
    [browser, real, folder] = await Promise.all([
      launchChromium(),
      startRealNode({ webrtc: { enabled: false } }),
      mkdtemp(join(tmpdir(), "cidcast-large-")),
    ]);
    await writeFile(join(folder, "large.bin"), randomBytes(SIZE));
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    ({ page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } }));
    await page.goto(`${real.url}/`);
  });
  afterEach(async () => {
    await page.close();
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const sendSlowly = async (bytesPerSecond: number): Promise<void> => {
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: bytesPerSecond,
    });
  };
  const partSent = (): Promise<void> =>
    expect
      .poll(() => page.evaluate<number>(`document.querySelector(".upload progress")?.value ?? 0`), {
        timeout: 60_000,
      })
      .toBeGreaterThan(0.25);

  it("go on where they were after the page was loaded anew", async () => {
    await sendSlowly(SLOW);
    await page.locator("#picker").setInputFiles(join(folder, "large.bin"));
    await partSent();
    await page.reload();
    await page.getByText("was sent before. Choose the file again to go on.").waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    await screenshot(page, "library-unfinished-upload");
    await sendSlowly(-1);
    const going = page.waitForRequest(request => request.method() === "PATCH");
    await page.locator("#picker").setInputFiles(join(folder, "large.bin"));
    expect(Number((await going).headers()["upload-offset"])).toBeGreaterThan(SIZE / 8);
    await page.locator(".upload.done").waitFor();
    expect(await page.locator(".upload").count()).toBe(1);
    await page.locator(".record", { hasText: "large.bin" }).waitFor();
    // Nothing is left to go on with.
    await page.reload();
    await page.locator(".record").first().waitFor();
    expect(await page.locator(".upload").count()).toBe(0);
  });

  it("can be cancelled, and leave nothing behind", async () => {
    await sendSlowly(SLOW);
    await page.locator("#picker").setInputFiles(join(folder, "large.bin"));
    await partSent();
    const ended = page.waitForResponse(response => response.request().method() === "DELETE");
    await page.getByRole("button", { name: "Cancel upload of large.bin" }).click();
    expect((await ended).status()).toBe(204);
    expect(await page.locator(".upload").count()).toBe(0);
    await page.reload();
    await page.locator(".record").first().waitFor();
    expect(await page.locator(".upload").count()).toBe(0);
  });
});
