import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeClip } from "../../src/media/testing/clips.ts";
import { TestClient } from "../sockets/socket-server.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { runInPage } from "./in-page.ts";
import { type PlayerHandle, playerOf, withoutFileFallback } from "./player-handle.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

const SAMPLE = fileURLToPath(new URL("../../samples/sample-720p.mp4", import.meta.url));
/** A CID that nobody here has. */
const UNKNOWN_CID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
/** What is told of a viewer that comes, sees and goes, in order. */
const VIEWER_EVENTS = [
  "webrtc_connection_created",
  "webrtc_offer",
  "webrtc_connection_established",
  "webrtc_connected",
  "webrtc_stream_started",
  "webrtc_stream_ended",
  "webrtc_connection_closed",
];
/** What `cid-damaged` tells. */
interface Damage {
  readonly positionSeconds: number;
  readonly message: string;
}
/** A second of sound, as samples. */
const SECOND = 48_000;

describe("a node in a browser", () => {
  let browser: Browser;
  let real: RealNode;
  let page: Page;
  let log: PageLog;
  let player: PlayerHandle;

  beforeAll(async () => {
    [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    ({ page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } }));
    await withoutFileFallback(page);
    // Keeps hold of the page's sockets, so that a test can cut them.
    await page.addInitScript(`{
      globalThis.sockets = [];
      globalThis.WebSocket = class extends WebSocket {
        constructor(...given) { super(...given); globalThis.sockets.push(this); }
      };
    }`);
    player = playerOf(page);
  });
  afterEach(async () => {
    await page.close();
    if (log.errors.length > 0) throw new Error(`uncaught in the page: ${log.errors.join("; ")}`);
  });
  const open = async (cid: string, query = ""): Promise<void> => {
    await page.goto(`${real.url}/play/${cid}${query}`);
  };
  const samples = () => [
    { name: "passed through", cid: real.passthroughCid, words: "passed through" },
    { name: "transcoded", cid: real.transcodedCid, words: "transcoded" },
  ];

  it.each([0, 1])("plays sample %i: picture, sound and position advance", async index => {
    const { cid, words, name } = samples()[index]!;
    const heard: string[] = [];
    using listener = await TestClient.open(`${real.url.replace("http", "ws")}/ws/notifications`);
    await listener.next();
    listener.send({ action: "subscribe", notification_types: VIEWER_EVENTS, filters: { cid } });
    await listener.next();
    await open(cid);
    await player.reaches("playing");
    const stats = await player.advances({ frames: 45, samples: SECOND });
    expect(stats).toMatchObject({ height: 720, videoCodec: "H264", audioCodec: "opus" });
    expect(stats.audioEnergy).toBeGreaterThan(0);
    await runInPage(page, "listen.ts");
    expect(await page.evaluate("listen(0.001)")).toBeGreaterThan(0.001);
    await player.passes(1.5);
    expect(await player.duration()).toBeGreaterThan(15);
    await page.keyboard.press("s");
    await page.locator("cid-player .verdict strong").first().waitFor();
    expect(await page.locator("cid-player .verdict strong").first().innerText()).toContain(words);
    for (const chart of ["Bit rate", "Pictures", "Path carries"]) {
      await page.locator("cid-player .charts figure:not([hidden])", { hasText: chart }).waitFor();
    }
    await screenshot(page, `node-player-${name.replace(" ", "-")}`);
    expect(log.console).toEqual([]);
    expect(log.foreignRequests).toEqual([]);
    await page.goto("about:blank");
    while (heard.at(-1) !== "webrtc_connection_closed") {
      const { notification_type } = await listener.next();
      heard.push(String(notification_type));
    }
    expect(heard).toEqual(VIEWER_EVENTS);
  });

  it.each([0, 1])("pauses, goes on and seeks in sample %i", async index => {
    const { cid } = samples()[index]!;
    await open(cid);
    await player.reaches("playing");
    await page.keyboard.press("k");
    await player.reaches("paused");
    const at = await player.currentTime();
    const { framesDecoded } = await player.stats();
    // The next report of the node comes after everything that was on its way.
    await player.run("player.play()");
    await player.reaches("playing");
    expect(await player.currentTime()).toBeLessThan(at + 1);
    expect((await player.stats()).framesDecoded).toBeLessThan(framesDecoded + 30);
    await player.advances({ frames: 15, samples: SECOND / 4 });
    await page.keyboard.press("5");
    expect(await player.currentTime()).toBeGreaterThan((await player.duration()) * 0.45);
    await player.advances({ frames: 30, samples: SECOND / 2 });
    expect(await player.currentTime()).toBeGreaterThan((await player.duration()) * 0.5);
    await player.run("player.seek(1)");
    await player.advances({ frames: 30, samples: SECOND / 2 });
    expect(await player.currentTime()).toBeLessThan(8);
  });

  it("ends, says so, and plays again", async () => {
    await open(real.passthroughCid);
    await player.reaches("playing");
    await player.run("player.seek(player.duration - 1)");
    await player.reaches("ended");
    expect(await player.currentTime()).toBeCloseTo(await player.duration(), 0);
    await page.getByRole("button", { name: "Play again", exact: true }).click();
    await player.reaches("playing");
    await player.advances({ frames: 15, samples: SECOND / 4 });
    expect(await player.currentTime()).toBeLessThan(10);
  });

  it.each([
    ["passed through", 0],
    ["transcoded", 2],
  ])("plays a file that is cut off as far as it goes, and then says why, %s", async (name, bFrames) => {
    const whole = await makeClip({
      container: "mp4",
      muxer: { movflags: "+faststart" },
      video: { encoder: "libx264", options: { preset: "ultrafast" }, bFrames, frames: 240 },
      audio: [{ encoder: "aac", seconds: 8 }],
    });
    const part = Readable.from([whole.subarray(0, whole.length * 0.4)]);
    const { cid } = await real.node.content.add(part, { name: "cut-off.mp4" });
    await page.addInitScript(
      `addEventListener("cid-damaged", ({ detail }) => { globalThis.damage = detail; });`,
    );
    await open(cid);
    await player.reaches("playing");
    await player.reaches("ended");
    await page.getByText("The file is damaged: it plays up to here").waitFor();
    const end = await player.currentTime();
    const duration = await player.duration();
    expect(end).toBeGreaterThan(1);
    expect(end).toBeLessThan(duration * 0.6);
    const { message, positionSeconds } = await page.evaluate<Damage>("globalThis.damage");
    expect(positionSeconds).toBeCloseTo(end, 1);
    expect(message).toContain(`of ${duration.toFixed(1)} s`);
    await screenshot(page, `node-player-cut-off-${name.replace(" ", "-")}`);
  });

  it("plays again after a reload, and lets go of what a page that is gone had", async () => {
    await open(real.passthroughCid, "?t=5");
    await player.reaches("playing");
    expect(await player.currentTime()).toBeGreaterThan(4);
    await page.reload();
    await player.reaches("playing");
    await player.advances({ frames: 15, samples: SECOND / 4 });
    await expect.poll(() => real.sessions()).toBe(1);
    await page.goto("about:blank");
    await expect.poll(() => real.sessions()).toBe(0);
  });

  it("serves two viewers, each at a place of its own", async () => {
    const second = await openPage(browser);
    await withoutFileFallback(second.page);
    await Promise.all([
      open(real.passthroughCid),
      second.page.goto(`${real.url}/play/${real.passthroughCid}?t=10`),
    ]);
    const other = playerOf(second.page);
    await Promise.all([player.reaches("playing"), other.reaches("playing")]);
    await Promise.all([
      player.advances({ frames: 30, samples: SECOND / 2 }),
      other.advances({ frames: 30, samples: SECOND / 2 }),
    ]);
    expect((await other.currentTime()) - (await player.currentTime())).toBeGreaterThan(5);
    expect(real.sessions()).toBe(2);
    await second.page.close();
    await player.advances({ frames: 15, samples: SECOND / 4 });
  });

  it("says in words what is wrong: content that is nowhere, a file that is no media, a text that is no CID", async () => {
    const text = await real.node.content.add(chunksOf("Only words in here.\n"), { name: "words.txt" });
    for (const [cid, code] of [
      [UNKNOWN_CID, "CONTENT_NOT_FOUND"],
      [text.cid, "UNSUPPORTED_MEDIA"],
      ["not-a-cid", "INVALID_CID"],
    ] as const) {
      await open(cid);
      await player.reaches("error");
      expect(await page.locator("cid-player .error code").innerText()).toBe(code);
    }
  });

  it("adds a file through the library, which then plays", async () => {
    await page.goto(`${real.url}/`);
    await page.locator("#picker").setInputFiles(SAMPLE);
    await page.locator(".upload.done").waitFor();
    await expect.poll(() => page.locator(".record").count()).toBeGreaterThan(1);
    await screenshot(page, "node-library");
    await page.getByRole("link", { name: "Play sample-720p.mp4" }).click();
    await player.reaches("playing");
    await player.advances({ frames: 15, samples: SECOND / 4 });
  });

  it("is played on where it was after the socket, or the session, is gone", async () => {
    await open(real.passthroughCid, "?t=6");
    await player.passes(7);
    await page.evaluate("globalThis.sockets.at(-1).close()");
    await player.reaches("reconnecting");
    await player.reaches("playing");
    await player.advances({ frames: 15, samples: SECOND / 4 });
    expect(await player.currentTime()).toBeGreaterThan(6.5);
    for (const session of real.node.webrtc?.sessions() ?? []) await session.close("told to by a test");
    await player.reaches("reconnecting");
    await player.reaches("playing");
    await player.advances({ frames: 15, samples: SECOND / 4 });
    expect(await player.currentTime()).toBeGreaterThan(6.5);
  });
});

async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
