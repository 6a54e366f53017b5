import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { accessibilityFindings } from "./accessibility.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { type MockNode, startMockNode } from "./mock/mock-node.ts";
import { type PlayerHandle, playerOf } from "./player-handle.ts";

/** A picture of one colour, for a poster. */
const POSTER =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='64' height='36'%3E%3Crect width='64' height='36' fill='teal'/%3E%3C/svg%3E";

/** How long what was asked for may take, ms. */
const SEEN = { timeout: 20_000 };

describe("control of <cid-player>", () => {
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
    node.records.push({ cid: "bafyvideo", name: "a film", size: 1, contentType: "video/mp4", addedAtMs: 0 });
  });
  afterEach(async () => {
    await page.close();
    await node[Symbol.asyncDispose]();
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const open = async (
    context: Parameters<typeof openPage>[1] = { viewport: { width: 1280, height: 800 } },
    path = "/play/bafyvideo",
  ): Promise<void> => {
    ({ page, log } = await openPage(browser, context));
    player = playerOf(page);
    await page.goto(`${node.url}${path}`);
  };
  const commands = (): Promise<{ type: string }[]> => node.studio("studio.commands");
  const notice = (text: string): Promise<void> =>
    page.locator("cid-player .notice", { hasText: text }).waitFor();

  it("goes faster and slower by keys, and says when that is without sound", async () => {
    await open();
    await player.reaches("playing");
    await page.keyboard.press(">");
    await notice("1.25×");
    await player.run("player.playbackRate = 4");
    await expect.poll(() => player.run("player.playbackRate")).toBe(4);
    const said = await player.run<{ soundMuted: boolean }>(`new Promise(resolve => {
      player.addEventListener("cid-rate", event => resolve(event.detail), { once: true });
      player.playbackRate = 3;
    })`);
    expect(said).toMatchObject({ playbackRate: 3 });
    await expect.poll(commands).toContainEqual(expect.objectContaining({ type: "set_rate", rate: 3 }));
    const before = await player.currentTime();
    await player.passes(before + 3);
    await expect(player.run("player.playbackRate = 9")).rejects.toThrow("between 0.25 and 4");
  });

  it("offers rates in a menu that keys alone can use", async () => {
    await open();
    await player.reaches("playing");
    const button = page.getByRole("button", { name: /^Speed/ });
    await button.focus();
    await page.keyboard.press("Enter");
    const normal = page.getByRole("menuitemradio", { name: "Normal" });
    expect(await normal.getAttribute("aria-checked")).toBe("true");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await screenshot(page, "player-speed-menu");
    expect(await accessibilityFindings(page)).toEqual([]);
    await page.keyboard.press("Enter");
    expect(await player.run("player.playbackRate")).toBe(1.5);
    expect(await button.innerText()).toBe("1.5×");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    expect(await page.getByRole("menu").isVisible()).toBe(false);
    expect(await player.state()).toBe("playing");
  });

  it("steps picture by picture, which pauses", async () => {
    await open();
    await player.reaches("playing");
    await page.keyboard.press(".");
    await player.reaches("paused");
    const at = await player.currentTime();
    await page.keyboard.press(".");
    await expect.poll(() => player.currentTime(), SEEN).toBeCloseTo(at + 1 / 30, 2);
    await page.keyboard.press(",");
    await page.keyboard.press(",");
    await expect.poll(() => player.currentTime(), SEEN).toBeCloseTo(at - 1 / 30, 2);
  });

  it("repeats the part between two marks until it is let go", async () => {
    await open(undefined, "/play/bafyvideo?t=4");
    await player.reaches("playing");
    // While it stands still both marks are at one place, however slow the machine.
    await player.run("player.pause()");
    await player.reaches("paused");
    await page.keyboard.press("[");
    await notice("Repeat from");
    await page.keyboard.press("]");
    await notice("The end lies before the start");
    await player.run("player.play()");
    await player.passes(5);
    await page.keyboard.press("]");
    await notice("Repeating 0:04 to 0:05");
    await player.run(
      "new Promise(resolve => player.addEventListener('cid-time', () => { if (player.currentTime < 4.6) resolve(); }))",
    );
    expect(await page.locator("cid-player .loop-part").isVisible()).toBe(true);
    await page.keyboard.press("\\");
    expect(await player.run("player.loopRange")).toBeUndefined();
    await player.passes(6);
  });

  it("keeps rate and part over a lost connection", async () => {
    await open();
    await player.reaches("playing");
    await player.run("(player.playbackRate = 1.5, player.loopRange = { startSeconds: 1, endSeconds: 9 })");
    const wishes = async () => (await commands()).filter(({ type }) => /^set_(rate|loop)$/.test(type));
    const rate = { type: "set_rate", rate: 1.5 };
    const part = { type: "set_loop", loop: true, range: { startSeconds: 1, endSeconds: 9 } };
    // Only what has arrived can be lost with the connection.
    await expect.poll(wishes).toEqual([rate, part]);
    node.dropSockets();
    await player.reaches("reconnecting");
    await player.reaches("playing");
    await expect.poll(wishes).toEqual([rate, part, rate, part]);
  });

  it("copies a link to this moment, or shows it where pages may not copy", async () => {
    await open({
      viewport: { width: 1280, height: 800 },
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await player.reaches("playing");
    await player.run("player.seek(7)");
    await page.keyboard.press("c");
    await notice("Link copied");
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(`${node.url}/play/bafyvideo?t=7`);
    await page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error('forbidden'))");
    await page.keyboard.press("c");
    await notice(`${node.url}/play/bafyvideo?t=`);
  });

  it("obeys the system's media keys and tells the system where it is", async () => {
    ({ page, log } = await openPage(browser));
    await page.addInitScript(`{
      globalThis.keys = {};
      const { setActionHandler } = MediaSession.prototype;
      MediaSession.prototype.setActionHandler = function (action, handler) {
        globalThis.keys[action] = handler;
        return setActionHandler.call(this, action, handler);
      };
    }`);
    player = playerOf(page);
    await page.goto(`${node.url}/play/bafyvideo`);
    await player.reaches("playing");
    await expect.poll(() => page.evaluate("navigator.mediaSession.playbackState")).toBe("playing");
    expect(await page.evaluate("navigator.mediaSession.metadata.title")).not.toBe("");
    await page.evaluate("keys.pause({ action: 'pause' })");
    await player.reaches("paused");
    await page.evaluate("keys.seekto({ action: 'seekto', seekTime: 12 })");
    await expect.poll(() => player.currentTime()).toBe(12);
    await page.evaluate("keys.seekbackward({ action: 'seekbackward' })");
    await expect.poll(() => player.currentTime()).toBe(2);
    await page.evaluate("document.querySelector('cid-player').remove()");
    expect(await page.evaluate("navigator.mediaSession.metadata")).toBeNull();
    await page.evaluate("document.querySelector('main').append(document.createElement('cid-player'))");
  });

  it("goes into a window of its own and back, by key and button, and says where that cannot be", async () => {
    await open();
    await player.reaches("playing");
    // The browser of the tests has no such window: what is asked of it is what counts.
    await page.evaluate(`{
      const video = document.querySelector("cid-player").shadowRoot.querySelector("video");
      let inside = null;
      globalThis.refusing = false;
      Object.defineProperty(document, "pictureInPictureEnabled", { value: true });
      Object.defineProperty(video.getRootNode(), "pictureInPictureElement", { get: () => inside });
      video.requestPictureInPicture = async () => {
        if (refusing) throw new DOMException("it wants a click", "NotAllowedError");
        inside = video;
        video.dispatchEvent(new Event("enterpictureinpicture"));
      };
      document.exitPictureInPicture = async () => {
        inside = null;
        video.dispatchEvent(new Event("leavepictureinpicture"));
      };
    }`);
    await page.keyboard.press("i");
    const pressed = page.locator("cid-player button.pip[aria-pressed=true]");
    await pressed.waitFor();
    // A window of its own shows what comes: nothing can lie over it.
    await player.run("player.seek(8)");
    expect(await page.locator("cid-player .seek-cover").isVisible()).toBe(false);
    await page.getByRole("button", { name: "Picture in picture (I)" }).click();
    await page.locator("cid-player button.pip[aria-pressed=false]").waitFor();
    await page.evaluate("refusing = true");
    await page.keyboard.press("i");
    await notice("Picture in picture is not possible now");
  });

  it("shows its poster until there is a picture", async () => {
    node.offerError = { code: "BUSY", message: "wait" };
    await open();
    await player.run(`player.setAttribute("poster", ${JSON.stringify(POSTER)})`);
    expect(await page.locator("cid-player .poster").isVisible()).toBe(true);
    node.offerError = undefined;
    await player.reaches("playing");
    expect(await page.locator("cid-player .poster").isVisible()).toBe(false);
    await player.run("player.setAttribute('poster', '/nothing.png')");
    expect(await player.state()).toBe("playing");
  });

  it("takes taps: one shows the controls, two move, a rest is fast", async () => {
    await open({ viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
    await player.reaches("playing");
    await player.run("player.seek(5)");
    const box = (await page.locator("cid-player video").boundingBox())!;
    const tap = (share: number): Promise<void> =>
      page.touchscreen.tap(box.x + box.width * share, box.y + box.height * 0.3);
    await tap(0.5);
    expect(await player.state()).toBe("playing");
    await page.locator("cid-player .frame.quiet").waitFor();
    await tap(0.9);
    await tap(0.9);
    await notice("+10 s");
    expect(await player.currentTime()).toBeGreaterThanOrEqual(14);
    const touch = (type: string): Promise<unknown> =>
      player.run(`player.shadowRoot.querySelector("video").dispatchEvent(new PointerEvent("${type}", {
        pointerType: "touch", clientX: 200, clientY: 100, bubbles: true }))`);
    await touch("pointerdown");
    await notice("2×");
    await touch("pointerup");
    await notice("1×");
    expect(await player.run("player.playbackRate")).toBe(1);
  });

  it("keeps its place in a page written from right to left", async () => {
    await open();
    await page.evaluate("document.documentElement.dir = 'rtl'");
    await player.reaches("playing");
    await page.keyboard.press("s");
    await page.keyboard.press("?");
    await page.getByText("H.264 without B-frames: sent as it is").waitFor();
    const left = async (selector: string): Promise<number> =>
      (await page.locator(selector).boundingBox())?.x ?? Number.NaN;
    expect(await left("cid-player .stats-panel")).toBeGreaterThan(await left("cid-player .help-panel"));
    // Time runs from left to right wherever one reads from.
    expect(await left("cid-player button.play")).toBeLessThan(await left("cid-player button.fullscreen"));
    await screenshot(page, "player-rtl");
    expect(await accessibilityFindings(page)).toEqual([]);
  });

  it.each([
    ["phone", { width: 360, height: 740 }],
    ["4k", { width: 3840, height: 2160 }],
  ])("fits a %s", async (name, viewport) => {
    await open({ viewport });
    await player.reaches("playing");
    await page.keyboard.press("s");
    await page.getByText("H.264 without B-frames: sent as it is").waitFor();
    await screenshot(page, `player-control-${name}`);
    await page.keyboard.press("s");
    const frame = (await page.locator("cid-player").boundingBox())!;
    for (const button of await page.locator("cid-player .row button:visible").all()) {
      const box = (await button.boundingBox())!;
      expect(box.x).toBeGreaterThanOrEqual(frame.x);
      expect(box.x + box.width).toBeLessThanOrEqual(frame.x + frame.width + 0.5);
    }
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
  });
});
