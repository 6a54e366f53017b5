import { readFile } from "node:fs/promises";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { accessibilityFindings } from "./accessibility.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { type MockNode, type MockRecord, startMockNode } from "./mock/mock-node.ts";
import { playerOf } from "./player-handle.ts";

const VIDEO: MockRecord = {
  cid: "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
  name: "sample-720p.mp4",
  size: 2_400_000,
  contentType: "video/mp4",
  addedAtMs: 1,
  media: {
    container: "mp4",
    durationSeconds: 24.3,
    playable: true,
    notes: [],
    tracks: [
      {
        id: "v0",
        kind: "video",
        codec: "h264",
        width: 1280,
        height: 720,
        verdict: { mode: "passthrough", reason: "H.264 without B-frames: sent as it is" },
      },
    ],
  },
};
const RECORDS: MockRecord[] = [
  VIDEO,
  {
    cid: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    name: "A rather long name of a recording that somebody made of a concert in the park on a windy day.flac",
    size: 24_000_000,
    contentType: "audio/flac",
    addedAtMs: 1,
  },
  { cid: "bafybeifolder", name: "holiday", size: 240_000_000, contentType: "inode/directory", addedAtMs: 1 },
  { cid: "bafkreitext", name: "<b>notes</b>.txt", size: 812, contentType: "text/plain", addedAtMs: 1 },
];

const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };
const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};

describe("the pages", () => {
  let browser: Browser;
  let node: MockNode;
  let page: Page;
  let log: PageLog;
  beforeAll(async () => {
    browser = await launchChromium({ args: ["--disable-features=WebRtcHideLocalIpsWithMdns"] });
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    node = await startMockNode(browser);
  });
  afterEach(async () => {
    await page.close();
    await node[Symbol.asyncDispose]();
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const open = async (path = "/", options: BrowserContextOptions = DESKTOP): Promise<void> => {
    ({ page, log } = await openPage(browser, options));
    await page.goto(node.url + path);
  };

  it("list what is there with type, duration and size, as text and not as markup", async () => {
    node.records.push(...RECORDS);
    await open();
    await page.locator(".record").nth(3).waitFor();
    const rows = await page.locator(".record").allInnerTexts();
    expect(rows[0]).toContain("sample-720p.mp4");
    expect(rows[0]?.replaceAll("\n", " ")).toContain("Video · MP4 · 1280 × 720 · 0:24 · 2.4 MB");
    expect(rows[3]).toContain("<b>notes</b>.txt");
    const links = await page.locator(".record a").evaluateAll(all => all.map(a => a.getAttribute("href")));
    expect(links[0]).toBe(`/play/${VIDEO.cid}`);
    expect(links[2]).toBe("/ipfs/bafybeifolder");
    expect(log.console).toEqual([]);
    expect(log.foreignRequests).toEqual([]);
  });

  it("say what to do when there is nothing, and find by name", async () => {
    await open();
    await page.getByText("Nothing here yet").waitFor();
    node.records.push(...RECORDS);
    await page.reload();
    await page.getByRole("searchbox").fill("holi");
    await expect.poll(() => page.locator(".record").count()).toBe(1);
    await page.getByRole("searchbox").fill("nowhere");
    await page.getByText("Nothing is called “nowhere”.").waitFor();
    expect(await page.locator(".record").count()).toBe(0);
  });

  it("show a grid with pictures or a list, in the order that is chosen, also the next time", async () => {
    node.records.push(...RECORDS);
    await open();
    await page.locator(".grid .record .sign img").waitFor();
    const asked = page.waitForRequest(request => request.url().includes("sort=largest"));
    await page.getByRole("combobox", { name: "Sort" }).selectOption("Largest first");
    await asked;
    await page.getByRole("button", { name: "Show as list" }).click();
    expect(await page.locator(".grid").count()).toBe(0);
    expect(await accessibilityFindings(page)).toEqual([]);
    await screenshot(page, "library-list");
    const again = page.waitForRequest(request => request.url().includes("sort=largest"));
    await page.reload();
    await again;
    await page.getByRole("button", { name: "Show as grid" }).click();
    await page.locator(".grid .record").first().waitFor();
  });

  it("copy CID and link", async () => {
    node.records.push(VIDEO);
    await open("/", { ...DESKTOP, permissions: ["clipboard-read", "clipboard-write"] });
    await page.getByRole("button", { name: `Copy CID of ${VIDEO.name}` }).click();
    await page.getByText("Copied").waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(VIDEO.cid);
    await page.getByRole("button", { name: `Copy link to ${VIDEO.name}` }).click();
    await expect
      .poll(() => page.evaluate("navigator.clipboard.readText()"))
      .toBe(`${node.url}/play/${VIDEO.cid}`);
  });

  it("upload files that are chosen, and the one added plays", async () => {
    await open();
    await page.locator("#picker").setInputFiles([
      { name: "one.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(100_000) },
      { name: "two.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(10) },
      { name: "three.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(0) },
    ]);
    await expect.poll(() => page.locator(".upload.done").count()).toBe(3);
    await expect.poll(() => page.locator(".record").count()).toBe(3);
    expect(new Set(node.records.map(record => record.size))).toEqual(new Set([0, 10, 100_000]));
    await page.getByRole("link", { name: "Play one.mp4" }).click();
    await playerOf(page).reaches("playing");
  });

  it("upload what is dropped anywhere", async () => {
    await open();
    await page.getByText("Nothing here yet").waitFor();
    await page.evaluate(`{
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["hello"], "dropped.mp4", { type: "video/mp4" }));
      document.body.dispatchEvent(new DragEvent("dragenter", { dataTransfer, bubbles: true }));
    }`);
    expect(await page.locator("cid-library.dropping").count()).toBe(1);
    await page.evaluate(`{
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["hello"], "dropped.mp4", { type: "video/mp4" }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }`);
    await page.locator(".record").waitFor();
    expect(node.records[0]).toMatchObject({ name: "dropped.mp4", size: 5 });
  });

  it("say in words why an upload failed", async () => {
    node.addStatus = 507;
    await open();
    await page
      .locator("#picker")
      .setInputFiles({ name: "x.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(5) });
    const failed = page.locator(".upload.failed");
    await failed.waitFor();
    expect(await failed.innerText()).toContain("the disk has no room for 5 bytes (STORAGE_FULL)");
  });

  it("work where sharing is by keyboard alone", async () => {
    node.records.push(VIDEO);
    await open();
    await page.locator(".record").waitFor();
    for (let presses = 0; presses < 12; presses += 1) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate("document.activeElement.className")) === "title") break;
    }
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/play/${VIDEO.cid}`);
    await playerOf(page).reaches("playing");
    await page.keyboard.press("k");
    await playerOf(page).reaches("paused");
    expect(await playerOf(page).run("player.paused")).toBe(true);
  });

  it.each([
    ["light", DESKTOP],
    ["dark", DESKTOP],
    ["phone", PHONE],
  ] as const)("are accessible and fit the screen: %s", async (name, options) => {
    node.records.push(...RECORDS);
    const colorScheme = name === "dark" ? "dark" : "light";
    await open("/", { ...options, colorScheme });
    await page.locator(".record").nth(3).waitFor();
    expect(await accessibilityFindings(page)).toEqual([]);
    const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    expect(await page.evaluate(overflow)).toBe(0);
    await screenshot(page, `library-${name}`);

    await page.goto(`${node.url}/play/${VIDEO.cid}`);
    await playerOf(page).reaches("playing");
    await playerOf(page).advances({ frames: 5, samples: 0 });
    expect(await accessibilityFindings(page)).toEqual([]);
    expect(await page.evaluate(overflow)).toBe(0);
    await screenshot(page, `player-${name}`);
    await page.keyboard.press("s");
    await page.getByText("H.264 without B-frames: sent as it is").waitFor();
    await page.keyboard.press("?");
    expect(await accessibilityFindings(page)).toEqual([]);
    await screenshot(page, `player-panels-${name}`);

    node.offerError = {
      code: "CONTENT_NOT_FOUND",
      message: "neither this node nor 2 connected peers have it",
    };
    await page.reload();
    await playerOf(page).reaches("error");
    expect(await accessibilityFindings(page)).toEqual([]);
    await screenshot(page, `player-error-${name}`);
  });

  it("hold nothing inline, so that a strict policy lets them work", async () => {
    await open();
    for (const file of ["index.html", "play.html"]) {
      const html = await readFile(new URL(`../../web/dist/${file}`, import.meta.url), "utf8");
      expect(html).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/i);
    }
  });
});
