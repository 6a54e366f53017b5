import { Readable } from "node:stream";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeClip } from "../../src/media/testing/clips.ts";
import { launchChromium, openPage } from "./chromium.ts";
import { runInPage } from "./in-page.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

interface Arriving {
  readonly kind: string;
  readonly bytesReceived: number;
  readonly framesDecoded: number;
  readonly pliCount: number;
}

describe("several tracks in one session", () => {
  let browser: Browser;
  let real: RealNode;
  let page: Page;

  beforeAll(async () => {
    [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
    ({ page } = await openPage(browser));
    await page.goto(`${real.url}/healthz`);
    await runInPage(page, "tracks.ts");
  });
  afterAll(async () => {
    await browser?.close();
    await real?.[Symbol.asyncDispose]();
  });

  const run = <T = unknown>(body: string): Promise<T> => page.evaluate<T>(`(async () => { ${body} })()`);

  it("plays two videos and two sounds of two CIDs, and lets go of what is switched off or removed", async () => {
    await run(`
      globalThis.viewer = await viewTracks(${JSON.stringify(real.url)});
      await viewer.open(${JSON.stringify(real.passthroughCid)});
      await viewer.until(tracks => tracks.filter(t => t.framesDecoded > 15).length === 1);
    `);
    const names = await run<string[]>(`
      const cid = ${JSON.stringify(real.transcodedCid)};
      return [await viewer.add({ cid, kind: "video" }), await viewer.add({ cid, kind: "audio" })];
    `);
    expect(names).toEqual(["v0.2", "a0.3"]);
    const four = await run<Arriving[]>(`
      return viewer.until(tracks => tracks.filter(t => t.framesDecoded > 45).length === 2
        && tracks.filter(t => t.kind === "audio" && t.totalAudioEnergy > 0.001).length === 2);
    `);
    expect(four.map(track => track.kind).sort()).toEqual(["audio", "audio", "video", "video"]);
    expect(real.sessions()).toBe(1);

    const told = await run<{ sent: boolean; cid?: string }[]>(
      `return viewer.told(tracks => tracks.filter(t => t.sent).length === 4)`,
    );
    expect(told.filter(track => track.sent)).toHaveLength(4);
    expect(told.filter(track => track.cid === real.transcodedCid)).toHaveLength(2);

    const off = await run<{ success: boolean }>(
      `return viewer.ask({ type: "set_track", track_id: "v0.2", enabled: false }, "track_result")`,
    );
    expect(off).toMatchObject({ success: true });
    const still = await run<[Arriving, Arriving]>(`
      const videos = tracks => tracks.filter(t => t.kind === "video").sort((a, b) => a.mid - b.mid);
      // What was on its way has come once the other track has gone on for a while.
      const at = videos(await viewer.arriving())[0].framesDecoded;
      const before = videos(await viewer.until(tracks => videos(tracks)[0].framesDecoded > at + 30))[1];
      const after = videos(await viewer.until(tracks => videos(tracks)[0].framesDecoded > at + 90))[1];
      return [before, after];
    `);
    expect(still[1].bytesReceived).toBe(still[0].bytesReceived);

    await run(`
      await viewer.ask({ type: "set_track", track_id: "v0.2" }, "track_result");
      await viewer.until(tracks => tracks.every(t => t.kind !== "video" || t.framesDecoded > ${still[1].framesDecoded + 30}));
    `);
    await run(`return viewer.ask({ type: "remove_track", track_id: "v0.2" }, "track_removed")`);
    expect(
      await run(`return viewer.ask({ type: "set_track", track_id: "v0.2", enabled: true }, "track_result")`),
    ).toMatchObject({ success: false, code: "TRACK_NOT_FOUND" });
    // Its place stays; one more comes after it.
    const again = await run<string>(
      `return viewer.add({ cid: ${JSON.stringify(real.passthroughCid)}, kind: "video" })`,
    );
    expect(again).toBe("v0.4");
    await run(
      `await viewer.until(tracks => tracks.filter(t => t.kind === "video" && t.framesDecoded > 30).length >= 2)`,
    );
  });

  it("goes on with another language of the sound in the same place", async () => {
    const sound = (language: string) => ({ encoder: "aac", seconds: 12, language });
    const clip = await makeClip({
      container: "mp4",
      video: { encoder: "libx264", frames: 360 },
      audio: [sound("eng"), sound("deu")],
    });
    const { cid } = await real.node.content.add(Readable.from([clip]), { name: "two.mp4" });
    await run(`
      globalThis.viewer = await viewTracks(${JSON.stringify(real.url)});
      await viewer.open(${JSON.stringify(cid)});
      await viewer.until(tracks => tracks.some(t => t.kind === "audio" && t.totalAudioEnergy > 0.001));
    `);
    const languages = await run(
      `return (await viewer.told(() => true)).map(t => [t.id, t.language ?? null, t.sent])`,
    );
    expect(languages).toEqual([
      ["v0", null, true],
      ["a0", "eng", true],
      ["a1", "deu", false],
    ]);
    expect(
      await run(`return viewer.ask({ type: "set_track", track_id: "a1" }, "track_result")`),
    ).toMatchObject({
      success: true,
    });
    const tracks = await run<Arriving[]>(`
      const energy = (await viewer.arriving()).find(t => t.kind === "audio").totalAudioEnergy;
      return viewer.until(tracks => tracks.some(t => t.kind === "audio" && t.totalAudioEnergy > energy + 0.001));
    `);
    expect(tracks).toHaveLength(2);
    expect(tracks.find(track => track.kind === "video")?.pliCount).toBe(0);
    const told = await run<{ sent: boolean; id: string }[]>(
      `return viewer.told(tracks => tracks.some(t => t.sent && t.id === "a1"))`,
    );
    expect(told.filter(track => track.sent).map(track => track.id)).toEqual(["v0", "a1"]);
  });
});
