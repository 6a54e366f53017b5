import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildWeb } from "../../scripts/build-web.mjs";
import { type CidcastNode, createNode } from "../../src/node.ts";
import { TestClient } from "../sockets/socket-server.ts";
import { screenshot } from "./artifacts.ts";
import { launchChromium, openPage } from "./chromium.ts";
import { playerOf, withoutFileFallback } from "./player-handle.ts";

const SAMPLE = fileURLToPath(new URL("../../samples/sample-real-world.mp4", import.meta.url));

/** What Chromium tells of the pictures that arrive. */
interface Inbound {
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
    const { id } = await maker.prepare.submit(cid, { presets: ["very_low", "low"] });
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
        for (const report of (await connection.getStats()).values()) {
          if (report.type === "inbound-rtp" && report.kind === "video") return report;
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

  it("plays on a node that has nothing, and goes over to another rung without asking for a keyframe", async () => {
    const { page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } });
    await withoutFileFallback(page);
    await keepConnections(page);
    const player = playerOf(page);
    await page.goto(`${other.url}/play/${root}`);
    await player.reaches("playing");
    await player.advances({ frames: 30, samples: 24_000 });
    await heightBecomes(page, 360);
    const [session] = other.webrtc?.sessions() ?? [];
    const before = await inbound(page);
    expect(await session?.setQuality("very_low")).toEqual({ success: true });
    await heightBecomes(page, 180);
    expect(await session?.setQuality("low")).toEqual({ success: true });
    await heightBecomes(page, 360);
    const after = await inbound(page);
    expect(after.pliCount).toBe(before.pliCount);
    expect(after.framesDecoded).toBeGreaterThan(before.framesDecoded);
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
    await heightBecomes(page, 360);
    expect(await player.run("player.qualities")).toEqual(["auto", "very_low", "low"]);
    await page.getByRole("button", { name: "Quality: Auto" }).click();
    const menu = page.getByRole("menu", { name: "Quality" });
    expect(await menu.getByRole("menuitemradio").allInnerTexts()).toEqual(["Auto", "240p", "360p"]);
    await screenshot(page, "player-quality-menu");
    using listener = await TestClient.open(`${(maker.url ?? "").replace("http", "ws")}/ws/notifications`);
    await listener.next();
    listener.send({ action: "subscribe", notification_types: ["webrtc_quality_changed"] });
    await listener.next();
    await menu.getByRole("menuitemradio", { name: "240p" }).click();
    expect(await listener.next()).toMatchObject({ data: { quality_level: "very_low" } });
    await heightBecomes(page, 180);
    await page.getByRole("button", { name: "Quality: 240p" }).waitFor();
    const [session] = maker.webrtc?.sessions() ?? [];
    expect(await session?.stats()).toMatchObject({ quality: "very_low" });
    expect(log.errors).toEqual([]);
    await page.close();
  }, 120_000);
});
