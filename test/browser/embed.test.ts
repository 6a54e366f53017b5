import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, openPage } from "./chromium.ts";
import { playerOf, withoutFileFallback } from "./player-handle.ts";
import { type RealNode, startRealNode } from "./real-node.ts";

/** Most that the script of a page with a player may weigh, bytes after gzip. */
const MAX_SCRIPT_BYTES = 60 * 1024;
const DIST = fileURLToPath(new URL("../../web/dist", import.meta.url));

describe("the player in a page of another origin", () => {
  let browser: Browser;
  let site: Server;
  let real: RealNode;
  let origin = "";
  let html = "";

  beforeAll(async () => {
    site = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
    });
    site.listen(0, "127.0.0.1");
    await once(site, "listening");
    // It listens on a port, so its address is not a pipe's name.
    origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    [browser, real] = await Promise.all([launchChromium(), startRealNode({ corsOrigins: [origin] })]);
    const page = new URL("../../examples/embed-player/index.html", import.meta.url);
    html = (await readFile(page, "utf8")).replace("NODE", real.url).replace("CID", real.passthroughCid);
  });
  afterAll(async () => {
    await browser?.close();
    site.closeAllConnections();
    site.close();
    await real?.[Symbol.asyncDispose]();
  });

  it("plays by one script tag, from the node that the script came from", async () => {
    const { page, log } = await openPage(browser);
    await withoutFileFallback(page);
    await page.goto(origin);
    const player = playerOf(page);
    await player.reaches("playing");
    await player.advances({ frames: 15, samples: 12_000 });
    expect(await player.run("player.shareLink")).toContain(`${real.url}/play/${real.passthroughCid}`);
    expect(log.errors).toEqual([]);
    await page.close();
  });

  it("weighs no more than its limit", async () => {
    const scripts = new Set(["player.js"]);
    let bytes = 0;
    for (const name of scripts) {
      const text = await readFile(`${DIST}/${name}`, "utf8");
      bytes += gzipSync(text).length;
      for (const [, part] of text.matchAll(/["']\.\/(?:assets\/)?([^"'/]+\.js)["']/g))
        scripts.add(`assets/${part}`);
    }
    expect(scripts.size).toBeLessThanOrEqual((await readdir(`${DIST}/assets`)).length + 1);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThanOrEqual(MAX_SCRIPT_BYTES);
  });
});
