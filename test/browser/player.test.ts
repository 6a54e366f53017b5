import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CONNECTED_TIMEOUT_MS, MAX_WAITING_COMMANDS } from "../../packages/client/src/streaming/limits.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { type MockNode, startMockNode } from "./mock/mock-node.ts";
import { type PlayerHandle, playerOf } from "./player-handle.ts";

describe("<cid-player>", () => {
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
    for (const cid of ["bafyvideo", "bafysound", "bafyother", "bafylate", "bafydeaf", "bafysocket"]) {
      node.records.push({ cid, name: `${cid}.mp4`, size: 1_000_000, contentType: "video/mp4", addedAtMs: 0 });
    }
    ({ page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } }));
    player = playerOf(page);
  });
  afterEach(async () => {
    await page.close();
    await node[Symbol.asyncDispose]();
    // A page that failed behind a test's back fails the test.
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const open = async (cid = "bafyvideo", query = ""): Promise<void> => {
    await page.goto(`${node.url}/play/${cid}${query}`);
  };
  const text = (selector: string): Promise<string> => page.locator(selector).innerText();

  it("plays by itself: picture, sound and position advance", async () => {
    await open();
    await player.reaches("playing");
    const stats = await player.advances({ frames: 15, samples: 24_000 });
    expect(stats).toMatchObject({ width: 640, height: 360, videoCodec: "H264", audioCodec: "opus" });
    expect(stats.audioEnergy).toBeGreaterThan(0);
    await player.passes(1);
    expect(await player.duration()).toBe(20);
    expect(log.console).toEqual([]);
    expect(log.foreignRequests).toEqual([]);
  });

  it("stands still while paused, without a sound, and goes on", async () => {
    await open();
    await player.reaches("playing");
    await page.keyboard.press("k");
    await player.reaches("paused");
    const at = await player.currentTime();
    expect(await player.run("player.paused")).toBe(true);
    const track = "player.shadowRoot.querySelector('video').srcObject.getAudioTracks()[0].enabled";
    expect(await player.run(track)).toBe(false);
    await page.evaluate("new Promise(requestAnimationFrame)");
    expect(await player.currentTime()).toBe(at);
    await page.locator("cid-player button.big").click();
    await player.reaches("playing");
    expect(await player.run(track)).toBe(true);
    await player.advances({ frames: 5, samples: 4_800 });
  });

  it("seeks with keys, digits and its own method", async () => {
    await open();
    await player.reaches("playing");
    await page.keyboard.press("5");
    expect(await player.currentTime()).toBeGreaterThanOrEqual(10);
    await page.keyboard.press("ArrowRight");
    expect(await player.currentTime()).toBeGreaterThanOrEqual(15);
    await page.keyboard.press("j");
    expect(await player.currentTime()).toBeLessThan(10);
    await player.run("player.seek(2)");
    expect(await player.currentTime()).toBeLessThan(4);
    await page.locator("cid-player input.seek-slider").focus();
    await page.keyboard.press("End");
    await player.reaches("ended");
  });

  it("starts where the address says", async () => {
    await open("bafyvideo", "?t=12.5");
    await player.reaches("playing");
    expect(node.offers).toEqual([{ cid: "bafyvideo", startSeconds: 12.5 }]);
    expect(await player.currentTime()).toBeGreaterThan(12);
  });

  it("ends, and plays again", async () => {
    await open("bafyvideo", "?t=19.5");
    await player.reaches("ended");
    expect(await player.currentTime()).toBe(20);
    await page.getByRole("button", { name: "Play again", exact: true }).click();
    await player.reaches("playing");
    expect(await player.currentTime()).toBeLessThan(3);
  });

  it("begins anew without ending when it repeats", async () => {
    await open("bafyvideo", "?t=18.5");
    await player.reaches("playing");
    await page.keyboard.press("r");
    expect(await player.run("player.loop")).toBe(true);
    await player.run(
      "new Promise(resolve => player.addEventListener('cid-time', () => { if (player.currentTime < 5) resolve(); }))",
    );
    expect(await player.state()).toBe("playing");
  });

  it("comes back by itself where it was when the connection is lost, without a reload", async () => {
    await open("bafyvideo", "?t=3");
    await player.passes(4);
    await page.evaluate("window.notReloaded = true");
    node.dropSockets();
    await player.reaches("reconnecting");
    await player.reaches("playing");
    await player.advances({ frames: 5, samples: 4_800 });
    expect(node.offers).toHaveLength(2);
    expect(node.offers[1]?.startSeconds).toBeGreaterThanOrEqual(4);
    expect(node.offers.map(offer => offer.replaces)).toEqual([
      undefined,
      { pc_id: expect.stringMatching(/./), attempt: 1 },
    ]);
    expect(await page.evaluate("window.notReloaded")).toBe(true);
  });

  it("stays paused over a lost connection", async () => {
    await open();
    await player.reaches("playing");
    await page.keyboard.press(" ");
    await player.reaches("paused");
    node.dropSockets();
    await player.reaches("reconnecting");
    await player.reaches("paused");
    expect(node.offers).toHaveLength(2);
  });

  it("says so while the node is away, and goes on when it is back", async () => {
    await open();
    await player.reaches("playing");
    node.accepting = false;
    node.dropSockets();
    await page.getByText("Connection lost. Still trying to reconnect…").waitFor();
    expect(await player.state()).toBe("reconnecting");
    node.accepting = true;
    await player.reaches("playing");
    expect(node.offers).toHaveLength(2);
  });

  it("shows an error in words with its code, and tries again on demand", async () => {
    node.offerError = { code: "CONTENT_NOT_FOUND", message: "nobody has bafyvideo" };
    await open();
    await player.reaches("error");
    expect(await text("cid-player .error h2")).toBe("This content is not here");
    expect(await text("cid-player .error code")).toBe("CONTENT_NOT_FOUND");
    expect(node.offers).toHaveLength(1);
    node.offerError = undefined;
    await page.getByRole("button", { name: "Try again" }).click();
    await player.reaches("playing");
    expect(await page.locator("cid-player .error").isVisible()).toBe(false);
  });

  it("offers no second try where it cannot help", async () => {
    node.offerError = { code: "UNSUPPORTED_MEDIA", message: "text/plain holds no tracks" };
    await open();
    await player.reaches("error");
    expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
    expect(await text("cid-player .error")).toContain("There is nothing to play in this file");
  });

  it("tries again by itself when the node is busy", async () => {
    node.offerError = { code: "BUSY", message: "100 of 100 sessions" };
    await open();
    await player.reaches("reconnecting");
    await page.getByText("The node is busy. Trying again…").waitFor();
    node.offerError = undefined;
    await player.reaches("playing");
    expect(node.offers.length).toBeGreaterThan(1);
  });

  it("comes back when the media connection is gone while the socket stays", async () => {
    await open();
    await player.reaches("playing");
    await node.studio("studio.vanish()");
    await player.reaches("reconnecting");
    await player.reaches("playing");
    expect(node.offers).toHaveLength(2);
  });

  it("begins anew where the node cannot go on as it is: no room for a transcode, an answer that crossed", async () => {
    await open();
    await player.reaches("playing");
    const retried = (): Promise<string> =>
      page.evaluate<string>("(retries => retries.shift() ?? '')(globalThis.retries)");
    await player.run(`(globalThis.retries = [],
      player.addEventListener("cid-retry", ({ detail }) => retries.push(detail.code)))`);
    await node.studio(`studio.tell({ type: "error", code: "BUSY", message: "1 of 1 in use" })`);
    await expect.poll(retried, { timeout: 20_000 }).toBe("BUSY");
    await player.reaches("playing");
    await expect.poll(() => node.offers.length, { timeout: 20_000 }).toBe(2);
    node.tell({ type: "error", code: "CONFLICT", message: "it has its answer", pc_id: "pc_2" });
    await expect.poll(retried, { timeout: 20_000 }).toBe("PEER_UNREACHABLE");
    await player.reaches("playing");
    await expect.poll(() => node.offers.length, { timeout: 20_000 }).toBe(3);
  });

  it("waits no longer than its limit for a connection to come to be", async () => {
    await page.clock.install();
    await open("bafydeaf");
    await player.reaches("connecting");
    await expect.poll(() => node.answers).toBe(1);
    await page.clock.fastForward(CONNECTED_TIMEOUT_MS);
    await player.reaches("reconnecting");
    expect(await player.state()).toBe("reconnecting");
  });

  it("keeps commands for a control channel that opens late, up to its limit", async () => {
    await open("bafylate");
    await player.reaches("playing");
    await player.run("Array.from({ length: 100 }, () => player.seek(1)).length");
    expect(await node.studio("studio.commands.length")).toBe(0);
    await node.studio("studio.openControl()");
    // The size of the picture may be one of those that waited, or be told afterwards.
    const waited = (): Promise<number> =>
      node.studio(`studio.commands
        .slice(0, studio.commands.findLastIndex(({ type }) => type === "seek") + 1)
        .filter(({ type }) => type !== "get_state").length`);
    await expect.poll(waited, { timeout: 20_000 }).toBe(MAX_WAITING_COMMANDS);
    await player.run("player.pause()");
    await player.reaches("paused");
  });

  it("is controlled over the signalling socket where the node opens no channel", async () => {
    await open("bafysocket");
    await player.reaches("playing");
    await page.keyboard.press("k");
    await player.reaches("paused");
    expect(await player.duration()).toBe(20);
    await player.run("player.seek(7)");
    await page.keyboard.press("k");
    await player.reaches("playing");
    expect(await player.currentTime()).toBeGreaterThanOrEqual(7);
  });

  it("plays sound without a picture as sound", async () => {
    await open("bafysound");
    await player.reaches("playing");
    await player.advances({ frames: 0, samples: 24_000 });
    expect(await page.locator("cid-player .sound-cover").isVisible()).toBe(true);
  });

  it("takes its keys, and leaves those of the browser and of fields alone", async () => {
    await open();
    await player.reaches("playing");
    await page.keyboard.press("m");
    expect(await player.run("player.muted")).toBe(true);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("m");
    await page.keyboard.press("?");
    await page.keyboard.press("s");
    expect(await page.getByText("Back or forward 5 seconds").isVisible()).toBe(true);
    await page.getByText("H.264 without B-frames: sent as it is").waitFor();
    await page.keyboard.press("Escape");
    expect(await page.locator("cid-player .panel:visible").count()).toBe(0);
    await page.evaluate("document.body.append(document.createElement('input'))");
    await page.locator("body > input").pressSequentially("km5");
    expect(await page.locator("body > input").inputValue()).toBe("km5");
    expect(await player.state()).toBe("playing");
    await page.locator("cid-player").focus();
    await page.keyboard.press("f");
    await page.getByRole("button", { name: "Leave full screen (F)" }).waitFor({ state: "attached" });
  });

  it("lets go of its session when it is taken out of the page, and starts with another CID", async () => {
    await open();
    await player.reaches("playing");
    await player.run("player.srcCid = 'bafyother'");
    await player.reaches("playing");
    expect(node.offers.map(offer => offer.cid)).toEqual(["bafyvideo", "bafyother"]);
    await page.evaluate("window.player = document.querySelector('cid-player'); window.player.remove()");
    expect(await page.evaluate("window.player.state")).toBe("idle");
    await page.evaluate("document.body.append(window.player)");
    await player.reaches("playing");
    expect(node.offers).toHaveLength(3);
  });
});

describe("<cid-player> under a browser's autoplay rules", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium({ args: ["--disable-features=WebRtcHideLocalIpsWithMdns"] });
  });
  afterAll(() => browser?.close());

  /** The rule is played by a script: whatever a test asks a page counts for the browser as a click. */
  const openBlocked = async (node: MockNode, allowed: string): Promise<Page> => {
    const { page } = await openPage(browser);
    await page.addInitScript(`
      let clicked = false;
      addEventListener("click", () => { clicked = true; }, true);
      const { play } = HTMLMediaElement.prototype;
      HTMLMediaElement.prototype.play = function () {
        if (clicked || ${allowed}) return play.call(this);
        return Promise.reject(new DOMException("a click is needed first", "NotAllowedError"));
      };`);
    await page.goto(`${node.url}/play/bafyvideo`);
    return page;
  };

  it("starts without sound where sound needs a click, says so, and turns it on with one", async () => {
    await using node = await startMockNode(browser);
    const page = await openBlocked(node, "this.muted");
    const player = playerOf(page);
    await player.reaches("playing");
    expect(await player.run("player.muted")).toBe(true);
    await page.locator("cid-player .unmute").click();
    expect(await player.run("player.muted")).toBe(false);
    expect(await page.locator("cid-player .unmute").isVisible()).toBe(false);
    await page.close();
  });

  it("waits with a large play button where nothing plays without a click", async () => {
    await using node = await startMockNode(browser);
    const page = await openBlocked(node, "false");
    const player = playerOf(page);
    await player.reaches("paused");
    expect(await player.run("player.muted")).toBe(false);
    await page.locator("cid-player button.big").click();
    await player.reaches("playing");
    await player.advances({ frames: 5, samples: 4_800 });
    await page.close();
  });
});
