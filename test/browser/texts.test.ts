import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeClip } from "../../src/media/testing/clips.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage, type PageLog } from "./chromium.ts";
import { type PlayerHandle, playerOf } from "./player-handle.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

const VTT = `WEBVTT

00:00.000 --> 00:05.000
from the start

00:20.000 --> 00:25.000
<b>zwanzig</b> & mehr

00:25.000 --> 00:30.000
fünfundzwanzig
`;

describe("captions, chapters, languages and small pictures in a browser", () => {
  let browser: Browser;
  let real: RealNode;
  let page: Page;
  let log: PageLog;
  let player: PlayerHandle;
  let cid: string;

  const add = async (bytes: Uint8Array, name: string): Promise<string> =>
    (await real.node.content.add(Readable.from([bytes]), { name })).cid;

  beforeAll(async () => {
    [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
    const sound = (language: string) => ({ encoder: "aac", seconds: 40, language });
    const clip = await makeClip({
      container: "mp4",
      video: { encoder: "libx264", frames: 1200, gop: 30 },
      audio: [sound("eng"), sound("deu")],
      chapters: [
        [0, "Anfang"],
        [10, "Mitte"],
        [30, "Ende"],
      ],
    });
    cid = await add(clip, "film.mp4");
    const captions = await add(Buffer.from(VTT), "film.de.vtt");
    await real.node.captions.attach(cid, captions, "", { language: "de" });
    const { id } = await real.node.prepare.submit(cid, { presets: ["very_low"] });
    const { error } = await real.node.prepare.ended(id);
    if (error !== undefined) throw new Error(error.message);
    ({ page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } }));
    player = playerOf(page);
    await page.goto(`${real.url}/play/${cid}`);
    await player.reaches("playing");
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });

  const choose = async (menu: string, text: string): Promise<void> => {
    await page.locator(`cid-player .${menu}`).click();
    await page.locator(`cid-player #${menu}-menu button`, { hasText: text }).click();
  };
  /** Waits until those captions are shown. */
  const shown = (text: string): Promise<unknown> =>
    expect
      .poll(
        () =>
          page.evaluate(
            `[...(document.querySelector("cid-player").shadowRoot.querySelector("video").textTracks[0]?.cues ?? [])]
              .map(cue => cue.text).join("|")`,
          ),
        { timeout: 60_000 },
      )
      .toBe(text);

  it("shows captions by the place in the media, after seeks and at other rates", async () => {
    await page.locator("cid-player .captions").waitFor();
    await choose("captions", "German");
    await player.run("player.seek(21)");
    await shown("zwanzig &amp; mehr");
    // The browser takes a moment from knowing a cue to showing it.
    await page.evaluate(`new Promise(resolve => {
      const [track] = document.querySelector("cid-player").shadowRoot.querySelector("video").textTracks;
      const look = () => (track.activeCues?.length ? requestAnimationFrame(() => requestAnimationFrame(resolve)) : requestAnimationFrame(look));
      look();
    })`);
    await screenshot(page, "captions");
    await player.run("player.playbackRate = 2");
    await shown("fünfundzwanzig");
    expect(await player.currentTime()).toBeGreaterThan(24.5);
    await shown("");
    await player.run("player.playbackRate = 1");
    await player.run("player.seek(1)");
    await shown("from the start");
    await choose("captions", "Off");
    await shown("");
  });

  it("goes on in another language", async () => {
    const tracks = (): Promise<string> =>
      page.evaluate(`document.querySelector("cid-player").shadowRoot.querySelector(".language").textContent`);
    expect(await tracks()).toBe("English");
    await choose("language", "German");
    await expect.poll(tracks, { timeout: 60_000 }).toBe("German");
    await page.locator("cid-player .language").click();
    await screenshot(page, "audio-language");
    await page.keyboard.press("Escape");
    await player.advances({ frames: 30, samples: 24_000 });
  });

  it("marks chapters, and shows a small picture of the place under the pointer", async () => {
    expect(await page.locator("cid-player .chapters i").count()).toBe(2);
    await player.run("player.pause()");
    const bar = await page.locator("cid-player .seek-slider").boundingBox();
    if (bar === null) throw new Error("there is no seek bar");
    await page.mouse.move(bar.x + bar.width * 0.5, bar.y + bar.height / 2);
    await page.locator("cid-player .seek-bubble").getByText("0:20 Mitte").waitFor();
    // The first look asks for the storyboard; the next shows it.
    await expect
      .poll(
        async () => {
          await page.mouse.move(bar.x + bar.width * (0.5 + Math.random() * 0.002), bar.y + bar.height / 2);
          return page.locator("cid-player .thumbnail").isVisible();
        },
        { timeout: 60_000 },
      )
      .toBe(true);
    const style = await page.locator("cid-player .thumbnail").getAttribute("style");
    expect(style).toContain(`/api/v0/storyboard/${cid}/0`);
    await page.waitForLoadState("networkidle");
    await screenshot(page, "storyboard");
    expect(log.foreignRequests).toEqual([]);
  });

  it("takes captions that the command line attaches", async () => {
    const directory = await mkdtemp(join(tmpdir(), "cidcast-texts-"));
    try {
      const file = join(directory, "film.srt");
      await writeFile(file, "1\n00:00:01,000 --> 00:00:02,000\nHi\n");
      const { run } = await import("../../src/cli/testing/run.ts");
      const command = async (...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await run([...args, "--json", "--api", real.url], {
          cwd: directory,
        });
        if (code !== 0) throw new Error(stderr);
        return stdout;
      };
      const track = JSON.parse(await command("captions", "add", cid, file, "--language", "en")) as {
        cid: string;
      };
      expect(await command("captions", "ls", cid)).toContain(track.cid);
      await command("captions", "rm", cid, track.cid);
      expect(await command("captions", "ls", cid)).not.toContain(track.cid);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
