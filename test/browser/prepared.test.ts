import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildWeb } from "../../scripts/build-web.mjs";
import type { ContentService } from "../../src/content/index.ts";
import { type CidcastNode, createNode } from "../../src/node.ts";
import { TestClient } from "../sockets/socket-server.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage } from "./chromium.ts";
import { playerOf, withoutFileFallback } from "./player-handle.ts";

const SAMPLE = fileURLToPath(new URL("../../samples/sample-real-world.mp4", import.meta.url));

const SHORT = fileURLToPath(new URL("../../samples/sample-720p.mp4", import.meta.url));

/** Renditions of the film, with the rows of each. */
const HEIGHTS = { very_low: 180, low: 360, medium: 480 } as const;
type Level = keyof typeof HEIGHTS;

/** What Chromium tells of the pictures that arrive. */
interface Inbound {
  readonly codecId: string;
  readonly mimeType: string;
  readonly pliCount: number;
  readonly framesDecoded: number;
  readonly frameHeight: number;
  readonly freezeCount: number;
}

describe("a prepared ladder in a browser", () => {
  let browser: Browser;
  let maker: CidcastNode;
  let other: CidcastNode;
  let root: string;
  const directories: string[] = [];

  async function node(connect: readonly string[]): Promise<CidcastNode> {
    const dataDir = await mkdtemp(join(tmpdir(), "cidcast-prepared-"));
    directories.push(dataDir);
    const p2p = { connect: [...connect] };
    const webrtc = { udpPort: 0 };
    return createNode({ dataDir, port: 0, sample: false, logLevel: "error", p2p, webrtc });
  }

  beforeAll(async () => {
    await buildWeb();
    [browser, maker] = await Promise.all([launchChromium(), node([])]);
    const { cid } = await maker.content.add(createReadStream(SAMPLE), { name: "film.mp4" });
    const { id } = await maker.prepare.submit(cid, { presets: ["very_low", "low", "medium"] });
    root = (await maker.prepare.ended(id)).result?.root ?? "";
    other = await node([...(maker.peer?.multiaddrs ?? [])]);
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await other?.stop();
    await maker?.stop();
    await Promise.all(directories.map(directory => rm(directory, { recursive: true, force: true })));
  });

  /** Keeps hold of the page's connections, so that a test can ask them. */
  const keepConnections = (page: Page): Promise<unknown> =>
    page.addInitScript(`{
      globalThis.connections = [];
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...given) { super(...given); globalThis.connections.push(this); }
      };
    }`);
  const inbound = (page: Page): Promise<Inbound> =>
    page.evaluate<Inbound>(`(async () => {
      for (const connection of connections) {
        const reports = await connection.getStats();
        for (const report of reports.values()) {
          if (report.type !== "inbound-rtp" || report.kind !== "video") continue;
          return { ...report, mimeType: reports.get(report.codecId)?.mimeType };
        }
      }
      throw new Error("no pictures arrive");
    })()`);
  const heightBecomes = (page: Page, height: number): Promise<unknown> =>
    page.evaluate(`new Promise((resolve, reject) => {
      const find = root => root.querySelector("video") ??
        [...root.querySelectorAll("*")].map(e => e.shadowRoot && find(e.shadowRoot)).find(Boolean);
      const video = find(document);
      const timer = setTimeout(() => reject(new Error("the pictures stay " + video.videoHeight)), 60_000);
      const check = () => {
        if (video.videoHeight !== ${height}) return void video.requestVideoFrameCallback(check);
        clearTimeout(timer);
        resolve();
      };
      check();
    })`);

  it("plays on a node that has nothing; every rendition decodes, and none is gone over to by asking for a keyframe", async () => {
    const { page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } });
    await withoutFileFallback(page);
    await keepConnections(page);
    const player = playerOf(page);
    await page.goto(`${other.url}/play/${root}`);
    await player.reaches("playing");
    await player.advances({ frames: 30, samples: 24_000 });
    const [session] = other.webrtc?.sessions() ?? [];
    const before = await inbound(page);
    let { framesDecoded } = before;
    for (const level of ["very_low", "medium", "low"] satisfies Level[]) {
      expect(await session?.setQuality(level)).toEqual({ success: true });
      await heightBecomes(page, HEIGHTS[level]);
      const after = await inbound(page);
      expect([level, after.pliCount]).toEqual([level, before.pliCount]);
      expect(after.framesDecoded).toBeGreaterThan(framesDecoded);
      ({ framesDecoded } = after);
    }
    await screenshot(page, "prepared-ladder");
    expect(log.errors).toEqual([]);
    await page.close();
  }, 120_000);

  it("has its qualities in the player's menu", async () => {
    const { page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } });
    await withoutFileFallback(page);
    await page.goto(`${maker.url}/play/${root}`);
    const player = playerOf(page);
    await player.reaches("playing");
    expect(await player.run("player.qualities")).toEqual(["auto", "very_low", "low", "medium"]);
    await page.getByRole("button", { name: "Quality: Auto" }).click();
    const menu = page.getByRole("menu", { name: "Quality" });
    expect(await menu.getByRole("menuitemradio").allInnerTexts()).toEqual(["Auto", "240p", "360p", "480p"]);
    await screenshot(page, "player-quality-menu");
    using listener = await TestClient.open(`${(maker.url ?? "").replace("http", "ws")}/ws/notifications`);
    await listener.next();
    listener.send({ action: "subscribe", notification_types: ["webrtc_quality_changed"] });
    await listener.next();
    await menu.getByRole("menuitemradio", { name: "240p" }).click();
    // On a slow machine a heartbeat, or a change of the path's own, comes in between.
    const chosen = await listener.until(frame => {
      const { quality_level: level } = (frame["data"] ?? {}) as Record<string, unknown>;
      return frame["type"] === "notification" && level === "very_low";
    });
    expect(chosen).toMatchObject({ notification_type: "webrtc_quality_changed" });
    await heightBecomes(page, 180);
    await page.getByRole("button", { name: "Quality: 240p" }).waitFor();
    const [session] = maker.webrtc?.sessions() ?? [];
    expect(await session?.stats()).toMatchObject({ quality: "very_low" });
    expect(log.errors).toEqual([]);
    await page.close();
  }, 120_000);

  it("plays as it is while a job makes its ladder", async () => {
    // A node's content is the service itself.
    const content = maker.content as ContentService;
    const write = content.write.bind(content);
    const under = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    // The job has a segment, and gets no further before the viewer has come.
    content.write = async (bytes, options) => {
      under.resolve();
      await released.promise;
      return write(bytes, options);
    };
    try {
      const { cid } = await maker.content.add(createReadStream(SHORT), { name: "short.mp4" });
      const job = await maker.prepare.submit(cid, { presets: ["very_low"] });
      await under.promise;
      const { page, log } = await openPage(browser);
      await withoutFileFallback(page);
      await page.goto(`${maker.url}/play/${cid}`);
      const player = playerOf(page);
      await player.reaches("playing");
      await player.advances({ frames: 30, samples: 24_000 });
      expect((await maker.prepare.job(job.id)).state).toBe("running");
      expect(await player.run("player.qualities")).toEqual([]);
      released.resolve();
      expect((await maker.prepare.ended(job.id)).state).toBe("done");
      await player.advances({ frames: 10, samples: 4800 });
      // Who comes now gets the ladder.
      await page.goto(`${maker.url}/play/${cid}`);
      await player.reaches("playing");
      expect(await player.run("player.qualities")).toEqual(["auto", "very_low", "very_high"]);
      expect(log.errors).toEqual([]);
      await page.close();
    } finally {
      released.resolve();
      content.write = write;
    }
  }, 120_000);

  it.each(["vp9", "av1"] as const)(
    "plays in %s, and every rendition decodes",
    async codec => {
      const { cid } = await maker.content.add(createReadStream(SHORT), { name: "short.mp4" });
      const { id } = await maker.prepare.submit(cid, { codec, presets: ["very_low", "low"] });
      const { result } = await maker.prepare.ended(id);
      const { page, log } = await openPage(browser);
      await withoutFileFallback(page);
      await keepConnections(page);
      const player = playerOf(page);
      await page.goto(`${maker.url}/play/${result?.root}`);
      await player.reaches("playing");
      await player.advances({ frames: 30, samples: 24_000 });
      const [session] = maker.webrtc?.sessions().slice(-1) ?? [];
      const before = await inbound(page);
      expect(before.mimeType.toLowerCase()).toBe(`video/${codec}`);
      for (const level of ["very_low", "low"] satisfies Level[]) {
        expect(await session?.setQuality(level)).toEqual({ success: true });
        await heightBecomes(page, HEIGHTS[level]);
      }
      expect((await inbound(page)).pliCount).toBe(before.pliCount);
      expect(log.errors).toEqual([]);
      await page.close();
    },
    180_000,
  );
});
