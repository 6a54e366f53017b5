import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser } from "playwright-core";
import { launchChromium, openPage } from "./chromium.ts";
import { type LoopbackResult, runInPage } from "./in-page.ts";

describe("the test browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  it("plays H.264 and Opus over WebRTC, picture and sound advancing", async () => {
    const { page, log } = await openPage(browser);
    await page.goto("data:text/html,<p>loopback");
    await runInPage(page, "loopback.ts");
    const heard = await page.evaluate<LoopbackResult>("loopback()");
    expect(heard.framesDecoded).toBeGreaterThan(30);
    expect(heard.audioEnergy).toBeGreaterThan(0);
    expect(log.errors).toEqual([]);
    await page.close();
  });

  it("asks nothing of hosts other than this machine", async () => {
    const { page, log } = await openPage(browser);
    await page.goto("data:text/html,<p>hello");
    expect(log.foreignRequests).toEqual([]);
    await page.goto("http://203.0.113.1/", { timeout: 500 }).catch(() => undefined);
    expect(log.foreignRequests).toEqual(["http://203.0.113.1/"]);
    await page.close();
  });
});
