import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stallReport, stallReports } from "@cidcast/protocols/node-api/stalls";
import { buildWeb } from "../../scripts/build-web.mjs";
import { stallText } from "../../src/cli/commands/media/why-stalled.ts";
import { type CidcastNode, createNode } from "../../src/node.ts";
import { launchChromium, openPage } from "./chromium.ts";
import { playerOf } from "./player-handle.ts";
import { throughShaper, UdpShaper } from "./udp-shaper.ts";

const SAMPLE = fileURLToPath(new URL("../../samples/sample-real-world.mp4", import.meta.url));
/** More than the lower rung and the sound need, less than the upper one. */
const NARROW_BPS = 420_000;

describe("a path that narrows and widens, in a browser", () => {
  let browser: Browser;
  let node: CidcastNode;
  let shaper: UdpShaper;
  let dataDir: string;
  let cid: string;

  beforeAll(async () => {
    await buildWeb();
    dataDir = await mkdtemp(join(tmpdir(), "cidcast-adaptive-"));
    const webrtc = { udpPort: 0 };
    const settings = { dataDir, port: 0, sample: false, logLevel: "error" as const, webrtc };
    [browser, node] = await Promise.all([launchChromium(), createNode(settings)]);
    ({ cid } = await node.content.add(createReadStream(SAMPLE), { name: "film.mp4" }));
    const { id } = await node.prepare.submit(cid, { presets: ["very_low", "low"] });
    await node.prepare.ended(id);
  }, 400_000);
  afterAll(async () => {
    await browser?.close();
    await node?.stop();
    await shaper?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const through = (page: Page): Promise<void> =>
    throughShaper(page, async port => {
      shaper ??= await UdpShaper.listen(port);
      return shaper.port;
    });

  const heightBecomes = (page: Page, height: number): Promise<unknown> =>
    page.evaluate(`new Promise((resolve, reject) => {
      const find = root => root.querySelector("video") ??
        [...root.querySelectorAll("*")].map(e => e.shadowRoot && find(e.shadowRoot)).find(Boolean);
      const video = find(document);
      const timer = setTimeout(() => reject(new Error("the pictures stay " + video.videoHeight)), 90_000);
      const check = () => {
        if (video.videoHeight !== ${height}) return void setTimeout(check, 50);
        clearTimeout(timer);
        resolve();
      };
      check();
    })`);

  it("auto goes a rung down, and up again, and says why", async () => {
    const { page, log } = await openPage(browser, { viewport: { width: 1280, height: 800 } });
    await through(page);
    const player = playerOf(page);
    await page.goto(`${node.url}/play/${cid}`);
    await player.reaches("playing");
    await player.run("player.loop = true");
    await heightBecomes(page, 360);
    expect(shaper.forwarded).toBeGreaterThan(0);

    shaper.rateBps = NARROW_BPS;
    await heightBecomes(page, 180);
    const [session] = node.webrtc?.sessions() ?? [];
    const narrow = await node.webrtc?.whyStalled(session?.id ?? "");
    expect(narrow?.timeline).toContainEqual(
      expect.objectContaining({ event: "down", from: "low", to: "very_low" }),
    );
    expect(narrow?.cause).toBe("network");
    const told = await fetch(`${node.url}/api/v0/why-stalled/${session?.id ?? ""}`);
    const report = stallReport.parse(await told.json());
    expect(report).toMatchObject({ pc_id: session?.id, cause: "network" });
    expect(stallText(report)).toMatch(/^network: .*\n(.*\n)*.*down +low→very_low/);
    const all = stallReports.parse(await (await fetch(`${node.url}/api/v0/why-stalled`)).json());
    expect(all.sessions.map(({ pc_id }) => pc_id)).toEqual([session?.id]);

    shaper.rateBps = Number.POSITIVE_INFINITY;
    await heightBecomes(page, 360);
    const stats = await session?.stats();
    expect(stats).toMatchObject({ quality: "auto", quality_level: "low", rung: "low" });
    expect(Number(stats?.["adaptation_changes"])).toBeGreaterThanOrEqual(2);
    expect(log.errors).toEqual([]);
    await page.close();
  }, 240_000);
});
