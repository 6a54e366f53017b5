import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium, openPage } from "../../browser/chromium.ts";
import { type RealNode, startRealNode } from "../../browser/real-node.ts";

/** The client of the protocol's first author. */
const CLIENT = fileURLToPath(import.meta.resolve("whip-whep/whep.js"));

/** In the page: `watch(url, knowsTag)` plays, `figures()` tells what came, `asked` what was asked for and answered. */
const PAGE = `
globalThis.asked = [];
globalThis.refused = [];
addEventListener("unhandledrejection", event => {
  refused.push(String(event.reason?.message));
  event.preventDefault();
});
const plain = fetch;
globalThis.fetch = async (address, init) => {
  const answer = await plain(address, init);
  asked.push([init.method, answer.status]);
  if (init.method === "POST" && globalThis.knowsTag) client.etag = answer.headers.get("etag");
  return answer;
};
globalThis.watch = async (address, knowsTag) => {
  globalThis.knowsTag = knowsTag;
  globalThis.client = new WHEPClient();
  globalThis.pc = new RTCPeerConnection();
  pc.addTransceiver("video", { direction: "recvonly" });
  pc.addTransceiver("audio", { direction: "recvonly" });
  const video = document.createElement("video");
  video.muted = true;
  video.autoplay = true;
  pc.ontrack = event => { video.srcObject = event.streams[0] ?? new MediaStream([event.track]); };
  document.body.append(video);
  await client.view(pc, address);
};
globalThis.figures = async () => {
  const found = {};
  for (const report of (await pc.getStats()).values()) {
    if (report.type === "inbound-rtp") found[report.kind] = report.framesDecoded ?? report.totalSamplesReceived;
  }
  return found;
};
`;

let browser: Browser;
let real: RealNode;
beforeAll(async () => {
  [browser, real] = await Promise.all([launchChromium(), startRealNode()]);
});
afterAll(async () => {
  await browser?.close();
  await real?.[Symbol.asyncDispose]();
});

async function openClient(): Promise<Page> {
  const { page } = await openPage(browser, { bypassCSP: true });
  await page.goto(`${real.url}/api/v0/version`);
  const client = await readFile(CLIENT, "utf8");
  await page.addScriptTag({
    type: "module",
    content: `${client}\nglobalThis.WHEPClient = WHEPClient;${PAGE}`,
  });
  await expect.poll(() => page.evaluate("typeof watch")).toBe("function");
  return page;
}

const plays = (page: Page): Promise<void> =>
  expect
    .poll(
      async () => {
        const { video = 0, audio = 0 } = await page.evaluate<Record<string, number>>("figures()");
        return video > 30 && audio > 24_000;
      },
      { timeout: 60_000 },
    )
    .toBe(true);

describe("the WHEP client whip-whep", () => {
  test("plays, brings its candidates, and ends its session", async () => {
    const page = await openClient();
    await page.evaluate(`watch(${JSON.stringify(`${real.url}/whep/${real.passthroughCid}`)}, true)`);
    await plays(page);
    expect(real.sessions()).toBe(1);
    await page.evaluate("client.stop()");
    await expect.poll(() => real.sessions()).toBe(0);
    const asked = await page.evaluate<[string, number][]>("asked");
    expect(asked[0]).toEqual(["POST", 201]);
    expect(asked.filter(([method]) => method === "PATCH").map(([, status]) => status)).toContain(204);
    // It closes its connection first: the node may have heard of that before it is asked to end the session.
    expect(["DELETE 200", "DELETE 404"]).toContain(asked.at(-1)?.join(" "));
    expect(await page.evaluate("refused")).toEqual([]);
    await page.close();
  });

  // As it is, it does not repeat the ETag of the answer, which RFC 9725 section 4.3.1 wants.
  test("plays also where its candidates are refused for want of If-Match", async () => {
    const page = await openClient();
    await page.evaluate(`watch(${JSON.stringify(`${real.url}/whep/${real.transcodedCid}`)}, false)`);
    await plays(page);
    const statuses = await page.evaluate<[string, number][]>("asked");
    expect(statuses).toContainEqual(["PATCH", 428]);
    await page.evaluate("client.stop()");
    await expect.poll(() => real.sessions()).toBe(0);
    await page.close();
  });

  test("is told why there is nothing to play", async () => {
    const page = await openClient();
    const failed = page.evaluate(`watch(${JSON.stringify(`${real.url}/whep/not-a-cid`)}, true)`);
    await expect(failed).rejects.toThrow("status 400");
    expect(real.sessions()).toBe(0);
    await page.close();
  });
});
